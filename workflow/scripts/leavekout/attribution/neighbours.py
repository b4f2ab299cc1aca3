"""The training images that are near a teacher's queries: those of which its scores are learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leavekout.attribution.similarity import cosine_scores
from leavekout.runtime.artifacts import load_npy


def nearest(queries: np.ndarray, images: np.ndarray, count: int) -> np.ndarray:
    """The rows of the images whose features are nearest to each query's by cosine, nearest first.

    Args:
        queries: [T, E]; images: [N, E].

    Returns:
        int64 [T, `count`].
    """
    return np.argsort(-cosine_scores(queries, images), axis=1, kind="stable")[:, :count]


def rows_near(neighbours: Sequence[Path], place: int) -> Tensor:
    """The rows that are near a query by any of several encoders, ascending: int64 [n].

    Args:
        neighbours: files of `nearest`.
        place: the query's.
    """
    return torch.from_numpy(np.unique(np.concatenate([load_npy(p)[place] for p in neighbours])))
