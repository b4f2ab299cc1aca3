"""Tests of paired differences, and corrections for their number and for repeated looks."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from leavekout.statistics.looks import sequential
from leavekout.statistics.resampling import Estimate, numbered

LEVEL = 0.05


def p_values(
    estimate: Estimate, differences: np.ndarray, clusters: np.ndarray | None = None
) -> np.ndarray:
    """Two-sided p-values [P] of differences [P, Q] having mean 0.

    The larger of two: Student's, of the estimate's t, to which its interval belongs; and that of
    Hall's (1992) cubic transformation t + g t² / (3 √n) + g² t³ / (27 n) + g / (6 √n), with the
    skewness g of the sums over n clusters. It removes the effect of skewness, for which plain
    t-tests have too many false positives, but the skewness of few clusters is uncertain.

    Args:
        estimate: of `paired.paired_means`, for the same differences and clusters.
    """
    members = numbered(np.arange(differences.shape[1]) if clusters is None else clusters)
    deviations = differences - differences.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(members, row) for row in deviations])  # [P, C]
    root = np.sqrt(sums.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        g = np.power(sums, 3).mean(axis=1) / sums.std(axis=1) ** 3
        t = estimate.value / estimate.error
        hall = t + g * t**2 / (3 * root) + g**2 * t**3 / (27 * root**2) + g / (6 * root)
        of_hall = 2 * stats.t.sf(np.abs(hall), estimate.freedom)
    return np.fmax(estimate.p_value(), of_hall)  # without variance, hall is NaN


def corrected(p: np.ndarray, *, queries: int, looks: Sequence[int] | None) -> np.ndarray:
    """P-values [P] of one family, corrected for their number and for all planned looks.

    Args:
        queries: Q, on which they are based.
        looks: the numbers of queries at which the study was planned to be looked at; see
            `looks.sequential`. None means that it is looked at once.
    """
    return holm(p if looks is None else sequential(p, queries, looks))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of the p-values [P] of one family of tests; NaN stays NaN."""
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    result = np.empty_like(p)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return result
