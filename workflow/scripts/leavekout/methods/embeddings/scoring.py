"""Similarity of cached features to those of queries, through learned layers if there are any."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.encoders.similarity import cosine_scores
from leavekout.methods.embeddings.mapper import mapped


def embedding_scores(
    queries: np.ndarray,
    features: np.ndarray,
    *,
    mapper: Mapping[str, Tensor] | None,
    over: Literal["max", "mean"],
    batch: int = 4096,
) -> np.ndarray:
    """Cosine similarity of features to those of Q queries: float32 [Q, N].

    With a mapper it is the cosine of h_images(f(z)) and h_queries(f(ẑ)), as in *Attribution by
    Customization*; f are features as the encoder gives them, not divided by their lengths.

    Args:
        queries: [Q, D]; features: [N, G, D], G features of each image (flips, or captions), may be
            memory-mapped.
        mapper: of `read_mapper`.
        over: how the G similarities become one.

    Raises:
        InputError: there is a mapper, and the features have unit length.
    """
    if mapper:
        _require_lengths(features)
    of_queries = mapped(queries, mapper, "queries") if mapper else queries
    scores = np.empty((len(queries), len(features)), np.float32)
    for start in range(0, len(features), batch):
        part = np.asarray(features[start : start + batch])
        flat = part.reshape(-1, part.shape[-1])
        found = cosine_scores(of_queries, mapped(flat, mapper, "images") if mapper else flat)
        grouped = found.reshape(len(queries), *part.shape[:2])
        scores[:, start : start + batch] = getattr(grouped, over)(axis=2)
    return scores


def _require_lengths(features: np.ndarray) -> None:
    """Refuses CLIP's features as an older version wrote them."""
    lengths = np.linalg.norm(np.asarray(features[:64]).reshape(-1, features.shape[-1]), axis=1)
    if np.allclose(lengths, 1, atol=1e-4):
        raise InputError(
            "mapper: the features of images have unit length, as an older version wrote CLIP's; "
            "delete the study's folder 'features/clip', and they are made again."
        )
