"""Attribution by similarity of features: cosine, the maximum over an image and its flip."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from torch import Tensor

from leavekout.errors import InputError


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
    part_bytes: int = 1 << 28,
) -> np.ndarray:
    """Scores of every training image for Q queries: float32 [Q, N].

    Args:
        queries: uint8 [Q, H, W, 3]; pixels: uint8 [N, H, W, 3], may be memory-mapped.
        features: uint8 [B, H, W, 3] → [B, D].
        flips: whether training flips images; then a score is the maximum of both orientations.
        part_bytes: of the images' features, as many as are held at a time.
    """
    of_queries = _unit(features(queries))
    scores = np.empty((len(queries), len(pixels)), np.float32)
    batch = max(1, part_bytes // of_queries[0].nbytes)
    for start in range(0, len(pixels), batch):
        part = np.asarray(pixels[start : start + batch])
        found = of_queries @ _unit(features(part)).T
        if flips:
            found = np.maximum(found, of_queries @ _unit(features(part[:, :, ::-1])).T)
        scores[:, start : start + batch] = found
    return scores


def embedding_scores(
    queries: np.ndarray,
    features: np.ndarray,
    *,
    mapper: Mapping[str, Tensor] | None,
    over: Literal["max", "mean"],
    batch: int = 4096,
) -> np.ndarray:
    """Cosine similarity of cached features to Q queries: float32 [Q, N].

    Args:
        queries: [Q, D]; features: [N, G, D], G features of each image (flips, or captions), may be
            memory-mapped.
        mapper: of `features.read_mapper`; applied to features of unit length.
        over: how the G similarities become one.
    """

    def mapped(values: np.ndarray) -> np.ndarray:
        unit = _unit(values)
        if mapper is None:
            return unit
        result = unit @ mapper["weight"].double().numpy().T
        return result + mapper["bias"].double().numpy() if "bias" in mapper else result

    if mapper is not None and mapper["weight"].shape[1] != queries.shape[1]:
        raise InputError(
            f"mapper: its matrix {tuple(mapper['weight'].shape)} does not take features of "
            f"{queries.shape[1]} dimensions."
        )
    of_queries = mapped(queries)
    scores = np.empty((len(queries), len(features)), np.float32)
    for start in range(0, len(features), batch):
        part = np.asarray(features[start : start + batch])
        found = cosine_scores(of_queries, mapped(part.reshape(-1, part.shape[-1])))
        grouped = found.reshape(len(queries), *part.shape[:2])
        scores[:, start : start + batch] = getattr(grouped, over)(axis=2)
    return scores


def flattened(images: np.ndarray) -> np.ndarray:
    """Pixel intensities in [0, 1], flattened: uint8 [B, H, W, 3] → [B, 3·H·W]."""
    return images.reshape(len(images), -1) / 255.0
