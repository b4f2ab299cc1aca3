"""The training images that are near a teacher's queries: those of which its scores are learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_npy


def rows_near(neighbours: Sequence[Path], place: int) -> Tensor:
    """The rows that are near a query by any of several encoders, ascending: int64 [n].

    Args:
        neighbours: files of `nearest`.
        place: the query's.
    """
    return torch.from_numpy(np.unique(np.concatenate([load_npy(p)[place] for p in neighbours])))
