"""Joint features of a picture and its caption: an image encoder's, and CLIP's of the text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from leavekout.encoders.features import load_image_encoder, load_text_encoder


def features_of_queries(
    pictures: np.ndarray, prompts: Sequence[str], encoder: Path, clip: Path, device: torch.device
) -> np.ndarray:
    """Features [Q, D + E] of pictures uint8 [Q, H, W, 3] and their prompts."""
    image_features = load_image_encoder(encoder, device)(pictures)
    return together(image_features, load_text_encoder(clip, device)(prompts))


def features_of_images(features: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Features [N, F, D + E] of images and flips [N, F, D], with their first captions [N, C, E]."""
    first = np.broadcast_to(text[:, :1], (*features.shape[:2], text.shape[2]))
    return together(np.asarray(features), first)


def together(image: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Concatenates features after scaling each to unit length, so that both have equal weight."""
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (image, text)]
    return np.concatenate(unit, axis=-1).astype(np.float32)
