"""Similarity of cached features to those of queries, through a learned layer if there is one."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.encoders.similarity import cosine_scores, unit


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
        lengths_one = unit(values)
        if mapper is None:
            return lengths_one
        result = lengths_one @ mapper["weight"].double().numpy().T
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
