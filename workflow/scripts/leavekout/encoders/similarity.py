"""Cosine similarity of features."""

import numpy as np


def cosine_scores(queries: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Cosine similarity of features: [Q, D] against [N, D] → float64 [Q, N]."""
    return unit(queries) @ unit(images).T


def unit(features: np.ndarray) -> np.ndarray:
    """Scales features to unit length."""
    features = np.asarray(features, dtype=np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, np.finfo(np.float64).tiny)


def nearest(queries: np.ndarray, images: np.ndarray, count: int) -> np.ndarray:
    """Rows of the images with the highest cosine similarity, nearest first.

    Args:
        queries: [T, E]; images: [N, E].

    Returns:
        int64 [T, `count`].
    """
    return np.argsort(-cosine_scores(queries, images), axis=1, kind="stable")[:, :count]
