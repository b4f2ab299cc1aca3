"""Imports the scores of many queries that others published in one array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leavekout.base.artifacts import load_npy
from leavekout.base.errors import InputError
from leavekout.base.pickles import load_pickle
from leavekout.contract.scores import check_scores


def read_published_scores(
    path: Path,
    *,
    entry: str,
    ranks: bool,
    queries: Sequence[int],
    places: np.ndarray,
    method: str,
) -> np.ndarray:
    """Published scores of some queries, in our order of images: float32 [Q, N].

    Args:
        path: an npy file, or else a pickle. It holds an array [Q', N].
        entry: as in `load_pickle`.
        ranks: whether a row lists places of images, the best first. Scores are then minus the rank.
        queries: the rows of the array.
        places: int64 [N], the place of each of our images in the array.
        method: whose scores they are, for messages.

    Raises:
        InputError: the array has another shape or too few rows, a row does not list each image
            once, or the scores break the contract.
    """
    array = load_npy(path, mmap=True) if path.suffix == ".npy" else load_pickle(path, entry)
    images, needed = len(places), max(queries) + 1
    shape = getattr(array, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] != images or shape[0] < needed:
        raise InputError(
            f"{path}: holds an array of shape {shape}, but [Q, {images}] is needed with at least "
            f"{needed} queries; check 'published.scores.entry'."
        )
    found = []
    for query in queries:
        row = np.asarray(array[query])
        scores = _minus_ranks(row, path, query) if ranks else row
        found.append(check_scores(scores, images=images, method=method, source=str(path)))
    return np.stack(found)[:, places]


def _minus_ranks(row: np.ndarray, path: Path, query: int) -> np.ndarray:
    """Minus the rank of each image, from the images in order of rank: float64 [N]."""
    if not np.array_equal(np.sort(row), np.arange(len(row))):
        raise InputError(f"{path}: row {query} does not list each image once.")
    scores = np.empty(len(row))
    scores[row] = -np.arange(len(row))
    return scores
