"""Pretrained weights: complete, fitting and finite, or refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from leavekout.base.errors import InputError
from leavekout.config.encoders import VaeTraining
from leavekout.encoders.features import load_image_encoder
from leavekout.encoders.text import load_text_tower
from leavekout.encoders.train_clip import clip_config, save_clip, train_clip
from leavekout.encoders.train_dino import train_dino
from leavekout.encoders.train_vae import train_vae
from leavekout.encoders.vae import encode_images, load_vae
from world import CLIP, CPU, DINO

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
VAE = VaeTraining(
    channels=[8], latent_channels=4, norm_groups=4, epochs=2, batch_size=3, learning_rate=1e-3,
    kl_weight=1e-3, seed=0,
)  # fmt: skip
TEXT = {
    "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "max_position_embeddings": 8, "vocab_size": 100,
}  # fmt: skip
VISION = {k: TEXT[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads")}
VISION |= {"intermediate_size": 16, "image_size": 16, "patch_size": 4}
TIMM = {"img_size": 16, "patch_size": 4, "embed_dim": 12, "depth": 1, "num_heads": 2}
Weights = dict[str, Tensor]


def write_timm(folder: Path) -> None:
    """A classifier, whose last layer is not used."""
    name = "vit_tiny_patch16_224"
    folder.mkdir()
    save_file(
        timm.create_model(name, num_classes=7, **TIMM).state_dict(), folder / "model.safetensors"
    )
    cfg = {"input_size": [3, 16, 16], "num_classes": 7, "classifier": "head"}
    content = {"architecture": name, "num_classes": 7, "model_args": TIMM, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(content))


def write_vit(folder: Path) -> None:
    ViTForImageClassification(ViTConfig(**VISION)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)


def write_vae(folder: Path) -> None:
    AutoencoderKL(
        block_out_channels=(8,), norm_num_groups=4, layers_per_block=1, sample_size=16
    ).save_pretrained(folder)


WRITE: dict[str, Callable[[Path], None]] = {
    "open_clip": lambda folder: save_clip(
        open_clip.CLIP(**clip_config(CLIP, 16)), CLIP, 16, folder
    ),
    "timm": write_timm,
    "vit": write_vit,
    "text": lambda folder: CLIPTextModel(CLIPTextConfig(**TEXT)).save_pretrained(folder),
    "vae": write_vae,
}


def output(kind: str, folder: Path) -> np.ndarray:
    """What the encoder of a folder makes of pictures or tokens."""
    match kind:
        case "open_clip" | "timm" | "vit":
            return load_image_encoder(folder, CPU)(PIXELS)
        case "text":
            return load_text_tower(folder, CPU)(torch.tensor([[1, 2, 99]]))[0].numpy()
        case _:
            return encode_images(load_vae(folder, CPU), PIXELS, CPU).numpy()


def changed(kind: str, folder: Path, change: Callable[[Weights], Weights]) -> Path:
    """A folder with changed weights."""
    torch.manual_seed(0)
    WRITE[kind](folder)
    (file,) = folder.glob("*.safetensors")
    save_file(change(load_file(file)), file, {"format": "pt"})
    return folder


def inner(weights: Weights) -> str:
    """A weight of an inner layer, which every encoder has."""
    return next(n for n in sorted(weights) if "norm" in n or "ln_" in n)


def without(weights: Weights) -> Weights:
    return {n: t for n, t in weights.items() if n != inner(weights)}


def broken(value: float) -> Callable[[Weights], Weights]:
    return lambda weights: (
        weights | {(name := inner(weights)): torch.full_like(weights[name], value)}
    )


def another_layer(weights: Weights) -> Weights:
    name = inner(weights)
    return weights | {f"{name.rsplit('.', 1)[0]}.extra": weights[name].clone()}


CHANGES: dict[str, Callable[[Weights], Weights]] = {
    "missing": without,
    "prefixed": lambda weights: {f"prefix.{n}": t for n, t in weights.items()},
    "empty": lambda weights: {"x": torch.zeros(1)},
    "other shape": lambda weights: weights | {inner(weights): torch.ones(3)},
    "NaN": broken(float("nan")),
    "infinite": broken(float("-inf")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", WRITE)
def test_weights_that_do_not_fit_are_refused(kind: str, change: str, tmp_path: Path) -> None:
    folder = changed(kind, tmp_path / kind, CHANGES[change])
    with pytest.raises(InputError, match=rf"^{folder}: .*") as caught:
        output(kind, folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["open_clip", "text", "vae", "vit"])
def test_weights_of_a_larger_model_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="extra"):
        output(kind, changed(kind, tmp_path / kind, another_layer))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", WRITE)
def test_other_precisions_are_read_in_float32(
    kind: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    """The result is that of the same values, stored in float32."""
    stored = changed(kind, tmp_path / "stored", lambda w: {n: t.to(dtype) for n, t in w.items()})
    exact = changed(
        kind, tmp_path / "exact", lambda w: {n: t.to(dtype).float() for n, t in w.items()}
    )
    found = output(kind, stored)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, output(kind, exact))


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
@pytest.mark.parametrize("kind", WRITE)
def test_quantised_weights_are_refused(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    folder = changed(kind, tmp_path / kind, lambda w: w | {(name := inner(w)): w[name].to(dtype)})
    with pytest.raises(InputError, match=r"is stored as (I8|U8|F8_E4M3), as in quantised models"):
        output(kind, folder)


@pytest.mark.parametrize("kind", WRITE)
def test_weights_in_other_formats_are_not_random(kind: str, tmp_path: Path) -> None:
    folder = changed(kind, tmp_path / kind, dict)
    (file,) = folder.glob("*.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"^.*: not a folder of"):
        output(kind, folder)
    file.unlink()
    with pytest.raises(InputError, match=r"^.*: not a folder of"):
        output(kind, folder)


def test_parts_that_are_not_used_may_be_there(tmp_path: Path) -> None:
    """A text tower of a whole CLIP, with or without the old prefix, or with a projection."""
    torch.manual_seed(0)
    whole = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION)).eval()
    whole.save_pretrained(tmp_path / "whole")
    tower = load_text_tower(tmp_path / "whole", CPU)
    theirs = whole.text_model.state_dict()
    assert all(torch.equal(theirs[name], t) for name, t in tower.state_dict().items())
    projecting = CLIPTextModelWithProjection(CLIPTextConfig(**TEXT))
    projecting.save_pretrained(tmp_path / "projecting")
    load_text_tower(tmp_path / "projecting", CPU)


CAPTIONS = [[f"a {n}"] for n in range(6)]
TRAIN: dict[str, Callable[[dict[str, Any]], object]] = {
    "clip": lambda to: train_clip(PIXELS, CAPTIONS, CLIP.model_copy(update=to), CPU),
    "dino": lambda to: train_dino(PIXELS, DINO.model_copy(update=to), CPU),
    "vae": lambda to: train_vae(PIXELS, VAE.model_copy(update=to), CPU),
}


@pytest.mark.parametrize("name", TRAIN)
def test_trainings_that_diverged_are_refused(name: str) -> None:
    config = {"learning_rate": 1e30, "epochs": 4, "batch_size": 6}
    with pytest.raises(InputError, match=rf"^encoders.{name}: .*lower its learning rate"):
        TRAIN[name](config)
