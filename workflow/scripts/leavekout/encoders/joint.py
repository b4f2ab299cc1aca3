"""Features of a picture and its caption together: an image encoder's beside CLIP's of the text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from leavekout.encoders.features import load_image_encoder, load_text_encoder


def features_of_queries(
    pictures: np.ndarray, prompts: Sequence[str], encoder: Path, clip: Path, device: torch.device
) -> np.ndarray:
    """Features [Q, D + E] of pictures uint8 [Q, H, W, 3] and their prompts."""
    of_pictures = load_image_encoder(encoder, device)(pictures)
    of_text = load_text_encoder(clip, device)(prompts)
    return together(of_pictures, of_text)


def features_of_images(features: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Features [N, F, D + E] of images and flips [N, F, D], with their first captions [N, C, E]."""
    first = np.broadcast_to(text[:, :1], (*features.shape[:2], text.shape[2]))
    return together(np.asarray(features), first)


def together(image: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Both side by side, each of unit length, so that neither outweighs the other."""
    unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (image, text)]
    return np.concatenate(unit, axis=-1).astype(np.float32)
