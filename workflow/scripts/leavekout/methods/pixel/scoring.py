"""Similarity of pixels: cosine, the maximum over an image and its flip."""

from collections.abc import Callable

import numpy as np

from leavekout.encoders.similarity import unit


def similarity_scores(
    queries: np.ndarray,
    pixels: np.ndarray,
    features: Callable[[np.ndarray], np.ndarray],
    *,
    flips: bool,
    part_bytes: int = 1 << 28,
) -> np.ndarray:
    """Scores of every training image for Q queries: float32 [Q, N].

    Args:
        queries: uint8 [Q, H, W, 3]; pixels: uint8 [N, H, W, 3], may be memory-mapped.
        features: uint8 [B, H, W, 3] → [B, D].
        flips: whether training flips images; then a score is the maximum of both orientations.
        part_bytes: of the images' features, as many as are held at a time.
    """
    of_queries = unit(features(queries))
    scores = np.empty((len(queries), len(pixels)), np.float32)
    batch = max(1, part_bytes // of_queries[0].nbytes)
    for start in range(0, len(pixels), batch):
        part = np.asarray(pixels[start : start + batch])
        found = of_queries @ unit(features(part)).T
        if flips:
            found = np.maximum(found, of_queries @ unit(features(part[:, :, ::-1])).T)
        scores[:, start : start + batch] = found
    return scores


def flattened(images: np.ndarray) -> np.ndarray:
    """Pixel intensities in [0, 1], flattened: uint8 [B, H, W, 3] → [B, 3·H·W]."""
    return images.reshape(len(images), -1) / 255.0
