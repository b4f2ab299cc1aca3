"""Tests: sign flips of paired differences, and the correction for many of them."""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05


def sign_flip_p_values(
    differences: np.ndarray, *, resamples: int, tests: int | None = None, seed: int = 0
) -> np.ndarray:
    """Two-sided p-values [P] of paired differences [P, Q] having no preferred sign.

    If two methods were equally good, each query's difference could as well have had the other sign.
    All 2^Q flips are tried where there are at most `resamples`, else so many are drawn, or more
    where the correction for `tests` (P unless told) asks for smaller p-values than they can give.
    """
    if differences.shape[1] < 2:
        return np.ones(len(differences))
    return stats.permutation_test(
        (differences,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=max(resamples, 400 * (tests or len(differences))),
        axis=-1,
        batch=max(1, 10**7 // differences.size),
        rng=np.random.default_rng(seed),
    ).pvalue


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p-values [P] that belong to one family."""
    return multipletests(p_values, method="holm")[1]
