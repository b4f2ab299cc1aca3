"""Tests of paired differences: sign flips, a t-test for skewed ones, corrections for many."""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from leavekout.statistics.resampling import numbered

LEVEL = 0.05
_FLIPS_AT_ONCE = 2000


def paired_tests(
    differences: np.ndarray,
    *,
    resamples: int,
    clusters: np.ndarray | None = None,
    also: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values of P paired differences [P, Q] having mean 0, and corrected ones.

    Each is the larger of two p-values. Sign flips assume symmetry, but no normal distribution;
    Hall's t-test assumes no symmetry, but needs many queries. `sign_flips` corrects its own
    p-values; Holm's method corrects Hall's. Other arguments are as in `sign_flips`.

    Args:
        also: [P], p-values of another test that has to be passed; corrected with Hall's.
    """
    flipped, corrected = sign_flips(differences, resamples=resamples, clusters=clusters)
    of_t = np.maximum(skewed_t_test(differences, clusters=clusters), also)
    return np.maximum(flipped, of_t), np.maximum(corrected, holm(of_t))


def skewed_t_test(differences: np.ndarray, *, clusters: np.ndarray | None = None) -> np.ndarray:
    """Two-sided p-values [P] of differences [P, Q] having mean 0, whatever their skewness.

    Hall's (1992) cubic transformation of Student's t removes the effect of the sample's skewness g:
    √n (x + g x² / 3 + g² x³ / 27 + g / 6n), with x the mean in standard deviations and n the number
    of clusters. For skewed differences, plain t-tests and sign flips have too many false positives;
    without skewness, this is Student's t-test.
    """
    sums = _by_cluster(differences, clusters)
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


def _by_cluster(differences: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    """The sums of differences [P, Q] over the queries of each cluster: [P, C]."""
    members = numbered(np.arange(differences.shape[1]) if clusters is None else clusters)
    return np.stack([np.bincount(members, row) for row in differences])


def sign_flips(
    differences: np.ndarray,
    *,
    resamples: int,
    clusters: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values of P paired differences [P, Q] having no preferred sign.

    If two methods were equally good, each query's difference would have either sign with equal
    probability. Clustered queries resemble each other, so their signs are flipped together.

    The second p-values are corrected for all P tests by the step-down maximum of Westfall and Young
    (1993): each flip compares a statistic with the largest of the P statistics. All differences of
    one query are flipped at once, which preserves the correlation of tests that share methods. The
    correction is therefore weaker than Holm's, and a p-value can be as small as for one test. The
    statistic is the sum over queries, divided by the root of the summed squares of clusters: an
    increasing function of Student's t.

    Args:
        clusters: [Q], the cluster of each query; None makes every query its own cluster.
        resamples: how many flips are drawn; all 2^(C - 1) flips of C clusters if they are no more.

    Returns:
        p-values [P] and corrected ones [P]. They are 1 with fewer than two clusters.
    """
    count = len(differences)
    sums = _by_cluster(differences, clusters)
    if sums.shape[1] < 2:
        return np.ones(count), np.ones(count)
    norms = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
    units = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    found = np.abs(units.sum(axis=1))
    order = np.argsort(-found)
    # A flip whose statistic differs only by rounding is as extreme.
    limits = found[order] - 1e-9
    flips = _flips(sums.shape[1], resamples, seed)
    single, family = np.zeros(count), np.zeros(count)
    for start in range(0, len(flips), _FLIPS_AT_ONCE):
        chance = np.abs(flips[start : start + _FLIPS_AT_ONCE] @ units[order].T)  # [B, P]
        single += (chance >= limits).sum(axis=0)
        # The largest statistic of this test and of those with smaller ones.
        largest = np.maximum.accumulate(chance[:, ::-1], axis=1)[:, ::-1]
        family += (largest >= limits).sum(axis=0)
    back = np.argsort(order)
    corrected = np.maximum.accumulate(family)
    return single[back] / len(flips), corrected[back] / len(flips)


def _flips(clusters: int, most: int, seed: int) -> np.ndarray:
    """Signs [B, C], the first all +1: all choices up to a common sign, or `most` random ones."""
    if clusters - 1 < 40 and 2 ** (clusters - 1) <= most:
        choices = np.arange(2 ** (clusters - 1))[:, None] >> np.arange(clusters - 1) & 1
        return np.hstack([np.ones((len(choices), 1)), 1.0 - 2 * choices])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (most, clusters))
    signs[0] = 1
    return signs


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction of the p-values [P] of one family of tests."""
    return multipletests(p_values, method="holm")[1]
