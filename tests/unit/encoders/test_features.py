"""Features of published encoders against the libraries themselves, and scores from them."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from leavekout.base.errors import InputError
from leavekout.encoders import train_dino as dino_training
from leavekout.encoders.features import (
    load_image_encoder,
    load_text_encoder,
    write_image_features,
    write_text_features,
)
from leavekout.encoders.train_clip import save_clip, train_clip
from leavekout.encoders.train_dino import random_crops, save_dino, train_dino
from leavekout.encoders.vae import to_signed_range
from world import CLIP, CPU, DINO, SAVING

CAPTIONS = [[f"a {n}", f"digit {n}"] for n in range(6)]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)


def images_of(pixels: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(p) for p in pixels]


def test_clip_features_are_open_clips_own(pixels: np.ndarray, tmp_path: Path) -> None:
    save_clip(train_clip(pixels, CAPTIONS, CLIP, CPU), CLIP, 20, tmp_path)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{tmp_path}")
    with torch.no_grad():
        image = model.eval().encode_image(torch.stack([preprocess(i) for i in images_of(pixels)]))
        text = model.encode_text(tokenize(["a 1", "digit 2"]))
    for found, expected in (
        (load_image_encoder(tmp_path, CPU)(pixels), image),
        (load_text_encoder(tmp_path, CPU)(["a 1", "digit 2"]), text),
    ):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)
        assert np.ptp(np.linalg.norm(found, axis=1)) > 0  # lengths are kept


def tiny_vit(registers: bool) -> Any:
    common: Any = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    common |= {"patch_size": 4, "image_size": 16}
    if registers:
        return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**common))
    return ViTModel(ViTConfig(**common), add_pooling_layer=False)


@pytest.mark.parametrize("registers", [False, True])
def test_transformers_features_are_the_class_token(
    registers: bool, pixels: np.ndarray, tmp_path: Path
) -> None:
    model = tiny_vit(registers).eval()
    model.save_pretrained(tmp_path)
    size = {"height": 16, "width": 16}
    processor = ViTImageProcessor(size=size, image_mean=[0.4] * 3, image_std=[0.3] * 3)
    processor.save_pretrained(tmp_path)
    with torch.no_grad():
        inputs = processor(images=images_of(pixels), return_tensors="pt")
        expected = model(**inputs).last_hidden_state[:, 0]
    found = load_image_encoder(tmp_path, CPU)(pixels)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_timm_features_are_timms_own(pixels: np.ndarray, tmp_path: Path) -> None:
    arguments = {"img_size": 32, "embed_dim": 24, "depth": 1, "num_heads": 2}
    name = "vit_tiny_patch16_224"
    model = timm.create_model(name, pretrained=False, num_classes=0, **arguments).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    cfg = {"input_size": [3, 32, 32], "mean": [0.4] * 3, "std": [0.2] * 3, "crop_pct": 0.9}
    content = {
        **{"architecture": name, "num_classes": 0, "num_features": 24},
        "model_args": arguments,
        "pretrained_cfg": {**cfg, "interpolation": "bicubic", "num_classes": 0},
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    preprocess = timm.data.create_transform(
        (3, 32, 32), mean=(0.4,) * 3, std=(0.2,) * 3, crop_pct=0.9, interpolation="bicubic"
    )
    with torch.no_grad():
        expected = model(torch.stack([preprocess(i) for i in images_of(pixels)]))
    found = load_image_encoder(tmp_path, CPU)(pixels)
    assert found.shape == (6, 24)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder of a model of open_clip, timm or tr"):
        load_image_encoder(tmp_path, CPU)


def test_dino_follows_its_seed_and_is_written_for_transformers(
    pixels: np.ndarray, tmp_path: Path
) -> None:
    model, again = (train_dino(pixels, DINO, CPU) for _ in range(2))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])  # the seed decides everything
    save_dino(model, 20, tmp_path)
    with torch.no_grad():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
        expected = model(images).last_hidden_state[:, 0]
    found = load_image_encoder(tmp_path, CPU)(pixels)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_dino_learns_to_distinguish_images() -> None:
    """Two crops of one image become nearer than crops of different ones: the loss has its sign."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (32, 4, 4, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    config = DINO.model_copy(
        update={"width": 32, "prototypes": 64, "epochs": 150, "batch_size": 32}
        | {"teacher_momentum": 0.95}
    )
    hits = {}
    for name, learning_rate in (("before", 1e-12), ("after", 2e-3)):
        model = train_dino(images, config.model_copy(update={"learning_rate": learning_rate}), CPU)
        generator = torch.Generator().manual_seed(1)
        crops = [random_crops(to_signed_range(images), generator) for _ in range(2)]
        with torch.no_grad():
            a, b = (model(c).last_hidden_state[:, 0] for c in crops)
        similar = torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)
        hits[name] = int((similar.argmax(1) == torch.arange(32)).sum())
    assert hits["after"] > 2 * hits["before"]
    assert hits["after"] >= 10  # one by chance


def test_crops_show_a_part_of_their_own_image() -> None:
    images = torch.stack([torch.zeros(3, 16, 16), torch.full((3, 16, 16), 0.5)])
    for seed in range(5):
        crops = random_crops(images, torch.Generator().manual_seed(seed))
        assert crops.shape == images.shape
        for crop in crops:  # one colour: nothing comes in from beyond the border or from the other
            assert (crop.amax() - crop.amin()) < 1e-6


def test_crops_are_turned_rectangles_inside_their_image() -> None:
    """Channels that hold the coordinates tell which place each pixel of a crop was taken from."""
    size, count = 16, 300
    centres = (2 * torch.arange(size) + 1) / size - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    grey, half = torch.zeros(size, size), torch.full((size, size), 0.5)
    images = torch.stack([0.3 * x, 0.3 * y, grey, half]).expand(count, -1, -1, -1)
    crops = random_crops(images, torch.Generator().manual_seed(0))
    areas, turns = [], []
    for crop in crops.double():
        contrast = (crop[3] - crop[2]).mean() / 0.5
        taken = (crop[:2] - crop[2]) / contrast / 0.3  # x and y in the image
        inside = (taken.abs() < 1 - 1 / size - 1e-3).all(0)  # others are the border's
        at = torch.stack([x, y, torch.ones_like(x)])[:, inside].T.double()
        (width_x, width_y), (height_x, height_y), centre = torch.linalg.lstsq(
            at, taken[:, inside].T
        ).solution.tolist()
        width, height = math.hypot(width_x, width_y), math.hypot(height_x, height_y)
        assert width_x * height_x + width_y * height_y == pytest.approx(0, abs=1e-4)
        assert abs(centre[0]) <= 1 - width + 1e-4
        assert abs(centre[1]) <= 1 - height + 1e-4
        areas.append(width * height)
        turns.append(math.degrees(math.atan2(width_y, width_x)))
    assert 0.55 < min(areas) < 0.65 < 0.95 < max(areas) < 1.001
    assert -10 < min(turns) < -8 < 8 < max(turns) < 10


def test_the_teacher_s_momentum_rises_to_1_along_a_cosine(
    pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[float] = []

    def record(student: Any, teacher: Any, momentum: float) -> None:
        kept.append(momentum)

    monkeypatch.setattr(dino_training, "update_momentum", record)
    train_dino(pixels, DINO, CPU)
    quarter = 0.05 * math.sqrt(0.5)
    assert kept == pytest.approx([0.9, 0.95 - quarter, 0.95, 0.95 + quarter])


def test_features_are_cached_for_image_flip_and_caption(pixels: np.ndarray, tmp_path: Path) -> None:
    def corner(images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0].astype(np.float32)

    write_image_features(tmp_path / "i.npy", corner, pixels, flips=2, batch=4, **SAVING)
    features = np.load(tmp_path / "i.npy")
    np.testing.assert_array_equal(features[:, 0], pixels[:, 0, 0])
    np.testing.assert_array_equal(features[:, 1], pixels[:, 0, -1])

    def length(captions: Any) -> np.ndarray:
        return np.array([[len(c), ord(c[-1])] for c in captions], np.float32)

    write_text_features(tmp_path / "t.npy", length, CAPTIONS, batch=5)
    features = np.load(tmp_path / "t.npy")
    assert features.tolist() == [[[len(c), ord(c[-1])] for c in texts] for texts in CAPTIONS]
