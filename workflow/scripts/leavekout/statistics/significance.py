"""Corrections of tests for their number and for repeated looks, and a t-test for skewed values."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from leavekout.statistics.looks import sequential
from leavekout.statistics.resampling import numbered

LEVEL = 0.05


def corrected(p_values: np.ndarray, *, queries: int, looks: Sequence[int] | None) -> np.ndarray:
    """P-values [P] of one family, corrected for their number and for all planned looks.

    Args:
        queries: Q, on which they are based.
        looks: the numbers of queries at which the study was planned to be looked at; see
            `looks.sequential`. None means that it is looked at once.
    """
    return holm(p_values if looks is None else sequential(p_values, queries, looks))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction of the p-values [P] of one family of tests; NaN stays NaN."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    result = np.empty_like(p)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return result


def skewed_t_test(differences: np.ndarray, *, clusters: np.ndarray | None = None) -> np.ndarray:
    """Two-sided p-values [P] of differences [P, Q] having mean 0, whatever their skewness.

    Hall's (1992) cubic transformation of Student's t removes the effect of the sample's skewness g:
    √n (x + g x² / 3 + g² x³ / 27 + g / 6n), with x the mean in standard deviations and n the number
    of clusters. For skewed differences, plain t-tests have too many false positives; without
    skewness, this is Student's t-test.
    """
    members = numbered(np.arange(differences.shape[1]) if clusters is None else clusters)
    sums = np.stack([np.bincount(members, row) for row in differences])
    n = sums.shape[1]
    if n < 3:
        return np.ones(len(sums))
    mean, deviation = sums.mean(axis=1), sums.std(axis=1, ddof=1)
    centred = sums - mean[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        g, x = np.power(centred, 3).mean(axis=1) / sums.std(axis=1) ** 3, mean / deviation
        t = np.sqrt(n) * (x + g * x**2 / 3 + g**2 * x**3 / 27 + g / (6 * n))
        p = 2 * stats.t.sf(np.abs(t), n - 1)
    return np.where(deviation > 1e-12 * np.abs(mean), p, np.where(mean == 0, 1.0, 0.0))
