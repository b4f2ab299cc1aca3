"""The training images near a teacher's queries; students learn their ranks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_npy


def rows_near(neighbours: Sequence[Path], place: int) -> Tensor:
    """The rows that are near a query by any of several encoders, ascending: int64 [n].

    Args:
        neighbours: files of `nearest`, one for each encoder.
        place: the query's row in them.
    """
    return torch.from_numpy(np.unique(np.concatenate([load_npy(p)[place] for p in neighbours])))
