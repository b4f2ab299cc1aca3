"""Features of images and captions by published encoders, each with its preprocessing.

They have the lengths that the encoders give them. Whatever compares them by cosines divides by
these, and learned layers are made for features as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from transformers import AutoImageProcessor, AutoModel

from leavekout.base.artifacts import load_json, save_npy
from leavekout.base.errors import InputError
from leavekout.base.rows import write_rows
from leavekout.encoders.cleaning import cleaned, distinct
from leavekout.encoders.clip import ClipImageEncoder
from leavekout.encoders.pretrained import (
    load_encoder,
    module_from_folder,
    reading_folder,
    starts,
)

ImageFeatures = Callable[[np.ndarray], np.ndarray]
TextFeatures = Callable[[Sequence[str]], np.ndarray]


def load_image_encoder(folder: Path, device: torch.device) -> ImageFeatures:
    """Loads an image encoder from a folder of open_clip, timm or transformers.

    Returns:
        A function: uint8 [B, H, W, 3] → float32 [B, D]. For a vision transformer, the feature is
        the final state of its class token.

    Raises:
        InputError: the folder holds no model in one of these formats.
    """
    if (folder / "open_clip_config.json").is_file():
        clip = ClipImageEncoder.load(folder, device)
        return lambda pixels: clip(pixels).numpy()
    config = folder / "config.json"
    if not config.is_file():
        raise InputError(
            f"{folder}: not a folder of a model of open_clip, timm or transformers, each of which "
            "has a config.json or open_clip_config.json."
        )
    of_timm = "architecture" in load_json(config)
    return (_load_timm if of_timm else _load_transformers)(folder, device)


def _load_timm(folder: Path, device: torch.device) -> ImageFeatures:
    def load() -> Any:
        # With num_classes=0, timm would ignore missing weights of any layer.
        model = timm.create_model(f"local-dir:{folder}", pretrained=True)
        model.reset_classifier(0)
        return model

    model = load_encoder(load, folder, "a timm model", device)
    preprocess = create_transform(**resolve_model_data_config(model), is_training=False)

    def features(pixels: np.ndarray) -> np.ndarray:
        images = torch.stack([preprocess(Image.fromarray(p)) for p in pixels])
        with torch.no_grad():
            return model(images.to(device)).float().cpu().numpy()

    return features


def _load_transformers(folder: Path, device: torch.device) -> ImageFeatures:
    options: Any = {"unused": "pooler", "parts": True, "dtype": torch.float32}
    model = load_encoder(
        lambda: module_from_folder(AutoModel, folder, **options),
        folder,
        "a transformers model",
        device,
    )
    with reading_folder(folder, "an image processor"):
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)

    def features(pixels: np.ndarray) -> np.ndarray:
        inputs = processor(images=[Image.fromarray(p) for p in pixels], return_tensors="pt")
        with torch.no_grad():
            states = model(inputs["pixel_values"].to(device)).last_hidden_state
        return states[:, 0].float().cpu().numpy()

    return features


def load_text_encoder(folder: Path, device: torch.device) -> TextFeatures:
    """The text tower of an open_clip folder: B captions → float32 [B, D]."""
    model: Any = ClipImageEncoder.load(folder, device).model
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")

    def features(captions: Sequence[str]) -> np.ndarray:
        with torch.no_grad():
            tokens = tokenize([cleaned(text) for text in captions]).to(device)
            return model.encode_text(tokens).float().cpu().numpy()

    return features


def write_image_features(
    path: Path,
    encoder: ImageFeatures,
    pixels: np.ndarray,
    *,
    flips: int,
    batch: int,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes features of every image and its horizontal flip: float32 [N, F, D].

    Args:
        identity, save_seconds: as in `Rows`.
    """

    def parts(first: int) -> Iterator[np.ndarray]:
        for start in starts(first, len(pixels), batch, "features of images"):
            part = np.asarray(pixels[start : start + batch])
            yield np.stack([encoder(p) for p in (part, part[:, :, ::-1])[:flips]], 1)

    shape = (len(pixels), flips, encoder(pixels[:1]).shape[1])
    write_rows(path, np.float32, shape, parts, identity=identity, save_seconds=save_seconds)


def write_text_features(
    path: Path, encoder: TextFeatures, captions: Sequence[Sequence[str]], *, batch: int
) -> None:
    """Writes features of C captions of every image: float32 [N, C, D]."""
    texts, inverse = distinct([caption for own in captions for caption in own])
    parts = [
        encoder(texts[start : start + batch])
        for start in starts(0, len(texts), batch, "features of captions")
    ]
    save_npy(path, np.concatenate(parts)[inverse].reshape(len(captions), len(captions[0]), -1))
