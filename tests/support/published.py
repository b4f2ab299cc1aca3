"""COCO and the encoders in their published formats, small and random."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import timm
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTImageProcessor,
)

from leavekout.config.encoders import ClipTraining
from leavekout.encoders.train_clip import build_tokenizer, clip_config, save_clip

TEXT_WIDTH = 32
UNET = {"sample_size": 8, "block_out_channels": [32, 32, 32, 32], "cross_attention_dim": TEXT_WIDTH}
CLIP = ClipTraining(
    width=16, layers=1, heads=2, patch_size=16, context_length=77, epochs=1, batch_size=1,
    learning_rate=1e-3, seed=0,
)  # fmt: skip
_COLOURS = ("red", "green", "blue", "grey")
_THINGS = ("cat", "bus", "pizza", "bench", "kite")


def write_coco(folder: Path, images: int) -> dict[str, str]:
    """COCO's two archives, with JPEGs of many sizes: their names and MD5 sums.

    Image ids have gaps and no order, some images are grey, and some have six captions.
    """
    drawn = np.random.default_rng(0)
    ids = drawn.permutation(np.arange(1, images + 1) * 37)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "train2017.zip", "w") as archive:
        for number, image in enumerate(ids):
            height, width = drawn.integers(90, 200, 2)
            coarse = drawn.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
            if number % 10 == 3:
                picture = picture.convert("L")
            with archive.open(f"train2017/{image:012d}.jpg", "w") as file:
                picture.save(file, "jpeg")

    def captions(images: Any, suffix: str) -> dict[str, Any]:
        annotations: list[dict[str, Any]] = []
        for number, image in enumerate(map(int, images)):
            for n in range(5 + (number % 7 == 0)):
                colour, thing = (drawn.choice(words) for words in (_COLOURS, _THINGS))
                text = f"A {colour} {thing}, number {n} of image {image}{suffix}. "
                place = 3 * len(annotations) + 7
                annotations.append({"image_id": image, "id": place, "caption": text})
        size = {"license": 3, "height": 1, "width": 1}
        listed = [{**size, "file_name": f"{i:012d}.jpg", "id": int(i)} for i in images]
        about = {"info": {"year": 2017}, "licenses": []}
        return {**about, "images": listed, "annotations": annotations}

    with zipfile.ZipFile(folder / "annotations_trainval2017.zip", "w") as archive:
        for name, content in (
            ("captions_train2017", captions(ids, "")),
            ("captions_val2017", captions(range(25), " of the validation set")),
            ("instances_train2017", {"info": {}}),
        ):
            archive.writestr(f"annotations/{name}.json", json.dumps(content))
    names = ("annotations_trainval2017.zip", "train2017.zip")
    return {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in names}


def write_models(hub: Path) -> None:
    """The repositories that `config/coco.yaml` names, with narrow random models."""
    torch.manual_seed(0)
    diffusion = hub / "sd2-community" / "stable-diffusion-2-base"
    write_stable_diffusion(diffusion)
    (diffusion / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle, not to be fetched")
    write_encoders(hub)


def write_stable_diffusion(folder: Path) -> None:
    """VAE, text encoder and tokenizer in the folders of a Stable Diffusion."""
    AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=4,
        scaling_factor=0.18215,
        sample_size=128,
    ).save_pretrained(folder / "vae")
    size = {"hidden_size": TEXT_WIDTH, "intermediate_size": 64, "max_position_embeddings": 77}
    text = CLIPTextConfig(num_hidden_layers=2, num_attention_heads=2, **size)
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    build_tokenizer(77).save_pretrained(folder / "tokenizer")


def write_encoders(hub: Path) -> None:
    """The repositories of CLIP and DINO."""
    clip = open_clip.CLIP(**clip_config(CLIP, 32))
    save_clip(clip, CLIP, 32, hub / "timm" / "vit_base_patch32_clip_224.openai")

    dino = hub / "timm" / "vit_base_patch16_224.dino"
    dino.mkdir(parents=True)
    size: dict[str, Any] = {"img_size": 32, "embed_dim": 24, "depth": 1, "num_heads": 2}
    model = timm.create_model("vit_base_patch16_224", num_classes=0, **size)
    save_file(model.state_dict(), dino / "model.safetensors")
    config = {
        **{"architecture": "vit_base_patch16_224", "num_classes": 0, "num_features": 24},
        "model_args": size,
        "pretrained_cfg": {"input_size": [3, 32, 32], "num_classes": 0},
    }
    (dino / "config.json").write_text(json.dumps(config))

    dinov2 = hub / "facebook" / "dinov2-with-registers-large"
    Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=8, image_size=32
        )
    ).save_pretrained(dinov2)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(dinov2)
