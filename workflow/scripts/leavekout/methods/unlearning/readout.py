"""Turns losses before and after unlearning into scores, by all passes and by each half."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_npy
from leavekout.contract.scores import top_k
from leavekout.methods.unlearning.settings import SKEW_FROM, Readout
from leavekout.sweeps.passes import Passes

_SKEW_FLOOR = 1e-3


def read_out(unlearned: Tensor, source: Tensor, passes: Passes, readout: Readout) -> Tensor:
    """What each half of the passes contributes to an image's score: float64 [b, F, 2].

    The sum of the two is the score, the mean over passes p of
    difference: l_p(θ_−ẑ) − l_p(θ0) (eq. 6);
    skew: (l_p(θ_−ẑ) − l_p(θ0)) / (l_p(θ_−ẑ) + l_p(θ0) + 10⁻³), over the noisier 70 % of the levels
    (MUCS, arXiv 2605.17938. The paper uses one noise for all images, and each image's first caption
    without a flip; here the sweep's noise, captions and flips are used).

    Args:
        unlearned, source: [b, F, P], with the same noise.
    """
    after, before = unlearned.double(), source.to(unlearned.device).double()
    values = after - before
    used = torch.ones(passes.count, dtype=torch.bool)
    if readout == "skew":
        values /= after + before + _SKEW_FLOOR
        used = passes.level >= SKEW_FROM * passes.timesteps
    halves = torch.nn.functional.one_hot(passes.half, 2) * used[:, None]  # [P, 2]
    return values @ (halves / used.sum()).to(values)


def reader(
    source_losses: Path, passes: Passes, readout: Readout
) -> Callable[[Tensor, Tensor], Tensor]:
    """`read_out` against the source model's losses, for `sweep_rows` to reduce losses with."""
    source = load_npy(source_losses, mmap=True)

    def reduce(losses: Tensor, rows: Tensor) -> Tensor:
        return read_out(losses, torch.from_numpy(source[rows.numpy()]), passes, readout)

    return reduce


def best_share(contributions: np.ndarray, share: float) -> Tensor:
    """The rows to refine: the best `share` of all by their scores so far, ascending.

    Args:
        contributions: float64 [N, F, 2], from `read_out`; NaN for images that were not swept.
    """
    scores = scores_of(contributions)
    best = top_k(scores, max(1, round(share * len(scores))))
    return torch.from_numpy(np.sort(best[np.isfinite(scores[best])]))


def scores_of(contributions: np.ndarray) -> np.ndarray:
    """τ(ẑ, z), the maximum over an image and its flip: float32 [N] of [N, F, 2]."""
    return contributions.sum(axis=2).max(axis=1).astype(np.float32)


def halves_of(contributions: np.ndarray) -> np.ndarray:
    """The scores by each half of the passes alone: float32 [2, N] of [N, F, 2].

    If a sweep has too few passes for one of the halves, both are NaN.
    """
    halves = (2 * contributions).max(axis=1).T.astype(np.float32)
    seen = np.nan_to_num(contributions).any(axis=(0, 1)).all()
    return halves if seen else np.full_like(halves, np.nan)
