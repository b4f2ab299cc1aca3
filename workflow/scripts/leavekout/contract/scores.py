"""The contract of methods: what a score file must contain, and its top K."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leavekout.base.artifacts import load_npy, save_npy
from leavekout.base.errors import InputError


def check_scores(scores: np.ndarray, *, images: int, method: str, source: str) -> np.ndarray:
    """Returns valid scores as float32 [N]; higher = more influential.

    Raises:
        InputError: the scores have another length, are not numbers, not finite, or constant.
    """
    reason = None
    is_floating = np.issubdtype(scores.dtype, np.floating)
    with np.errstate(over="ignore"):  # what is beyond the range of float32 is refused below
        single = scores.astype(np.float32) if is_floating else scores
    if scores.shape != (images,):
        reason = f"has shape {scores.shape} where ({images},) is expected, one for each image"
    elif not is_floating:
        reason = f"holds {scores.dtype} where float32 is expected"
    elif not np.isfinite(single).all():
        bad = np.flatnonzero(~np.isfinite(single))
        reason = (
            f"has {len(bad):,} scores that are NaN or infinite in float32, the first at row "
            f"{bad[0]:,}"
        )
    elif images > 1 and (single == single[0]).all():
        reason = f"gives every image the same score ({single[0]})"
    if reason:
        raise InputError(f"{source}: method '{method}' {reason}.")
    return single


def read_scores(path: Path, *, images: int, method: str) -> np.ndarray:
    """The checked scores of one method for one query: float32 [N]."""
    return check_scores(load_npy(path), images=images, method=method, source=str(path))


def save_scores(paths: Sequence[str], scores: np.ndarray, method: str) -> None:
    """Checks and writes the scores [Q, N] of a method, one file for each query."""
    for path, row in zip(paths, scores.astype(np.float32), strict=True):
        save_npy(Path(path), check_scores(row, images=len(row), method=method, source=path))


def save_some_scores(path: Path, scores: np.ndarray, rows: np.ndarray, method: str) -> None:
    """Checks and writes a query's scores [N] where only `rows` have scores; the rest are NaN."""
    check_scores(scores[rows], images=len(rows), method=method, source=str(path))
    save_npy(path, scores.astype(np.float32))


def split_half_scores(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores [N] from all draws [D, N, F], and scores [2, N] from the even and the odd draws.

    Each score is the mean over draws, and the higher of an image and its flip. The halves of a
    single draw are NaN.
    """
    whole = draws.mean(0).max(axis=1)
    if len(draws) == 1:
        return whole, np.full((2, len(whole)), np.nan)
    return whole, np.stack([draws[half::2].mean(0).max(axis=1) for half in range(2)])


def save_halves(paths: Sequence[str], halves: np.ndarray) -> None:
    """Writes the scores [Q, 2, N] from each half of a method's draws, one file for each query."""
    for path, scores in zip(paths, halves.astype(np.float32), strict=True):
        save_npy(Path(path), scores)


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """D_ẑ^K: rows of the K highest scores, best first; int64 [K]. Ties go to the lower row."""
    return np.argsort(-scores, kind="stable")[:k].astype(np.int64)


def tied_at(scores: np.ndarray, k: int) -> int:
    """How many images outside the top K have the same score as the last image in it."""
    best = scores[top_k(scores, k)]
    return int((scores == best[-1]).sum() - (best == best[-1]).sum())
