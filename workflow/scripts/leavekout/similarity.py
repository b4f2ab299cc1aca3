"""Attribution by similarity of features: cosine, the maximum over an image and its flip."""

from collections.abc import Callable

import numpy as np


def cosine_scores(queries: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Cosine similarity of features: [Q, D] against [N, D] → float64 [Q, N]."""
    return _unit(queries) @ _unit(images).T


def _unit(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, dtype=np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, np.finfo(np.float64).tiny)


def similarity_scores(
    queries: np.ndarray,
    pixels: np.ndarray,
    features: Callable[[np.ndarray], np.ndarray],
    *,
    flips: bool,
    batch: int = 1024,
) -> np.ndarray:
    """Scores of every training image for Q queries: float32 [Q, N].

    Args:
        queries: uint8 [Q, H, W, 3]; pixels: uint8 [N, H, W, 3], may be memory-mapped.
        features: uint8 [B, H, W, 3] → [B, D].
        flips: whether training flips images; then a score is the maximum of both orientations.
    """
    of_queries = features(queries)
    scores = np.empty((len(queries), len(pixels)), np.float32)
    for start in range(0, len(pixels), batch):
        part = np.asarray(pixels[start : start + batch])
        found = cosine_scores(of_queries, features(part))
        if flips:
            found = np.maximum(found, cosine_scores(of_queries, features(part[:, :, ::-1])))
        scores[:, start : start + batch] = found
    return scores


def flattened(images: np.ndarray) -> np.ndarray:
    """Pixel intensities in [0, 1], flattened: uint8 [B, H, W, 3] → [B, 3·H·W]."""
    return images.reshape(len(images), -1) / 255.0
