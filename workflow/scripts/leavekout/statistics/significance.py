"""Tests of paired differences: sign flips, a t-test for skewed ones, corrections for many."""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

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

    Each is the larger of two, one of which sees what the other misses: sign flips need no normal
    distribution, but symmetry; Hall's t-test needs no symmetry, but many queries. Arguments as in
    `sign_flips`, which corrects its own p-values; Hall's are corrected by Holm.

    Args:
        also: [P], p-values of a test that has to be passed besides; corrected with Hall's.
    """
    flipped, corrected = sign_flips(differences, resamples=resamples, clusters=clusters)
    of_t = np.maximum(skewed_t_test(differences, clusters=clusters), also)
    return np.maximum(flipped, of_t), np.maximum(corrected, holm(of_t))


def skewed_t_test(differences: np.ndarray, *, clusters: np.ndarray | None = None) -> np.ndarray:
    """Two-sided p-values [P] of differences [P, Q] having mean 0, whatever their skewness.

    Hall's (1992) transformation of Student's t, a cubic that takes the sample's skewness g out of
    it: √n (x + g x² / 3 + g² x³ / 27 + g / 6n), with x the mean in standard deviations. Where
    differences are skewed, plain t-tests and sign flips find too much; where they are not, this is
    Student's t-test. n counts clusters, which are given as in `sign_flips`.
    """
    return np.array([_skewed_t(sums) for sums, _ in _by_cluster(differences, clusters)])


def _skewed_t(sums: np.ndarray) -> float:
    """The p-value of `skewed_t_test` for the sums [C] of clusters."""
    n, mean = len(sums), sums.mean()
    if n < 3:
        return 1.0
    deviation = sums.std(ddof=1)
    if deviation <= 1e-12 * abs(mean):
        return 1.0 if mean == 0 else 0.0
    g, x = np.power(sums - mean, 3).mean() / sums.std() ** 3, mean / deviation
    t = np.sqrt(n) * (x + g * x**2 / 3 + g**2 * x**3 / 27 + g / (6 * n))
    return float(2 * stats.t.sf(abs(t), n - 1))


def _by_cluster(
    differences: np.ndarray, clusters: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of P rows [Q], the sums over its clusters [C] and the first query of each [C]."""
    count, queries = differences.shape
    members = np.broadcast_to(
        np.arange(queries) if clusters is None else clusters, (count, queries)
    )
    parts = []
    for row, names in zip(differences, members, strict=True):
        _, first, place = np.unique(names, return_index=True, return_inverse=True)
        parts.append((np.bincount(place, row), first))
    return parts


def sign_flips(
    differences: np.ndarray,
    *,
    resamples: int,
    clusters: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values of P paired differences [P, Q] having no preferred sign.

    If two methods were equally good, each query's difference could as well have had the other sign.
    Queries of one cluster resemble each other, so they keep or change their signs together.

    The second p-values are corrected for all P tests by the step-down maximum of Westfall and Young
    (1993): with every flip, the largest of the P statistics is what chance alone would have shown.
    All differences of one query are flipped at once (of a cluster as its first query), which keeps
    the correlation of tests that share methods; so the correction costs less than Holm's, and a
    p-value can be as small as with one test. The statistic is the sum over queries, in units of the
    root of the summed squares of clusters: Student's t, by an increasing function. Where tests
    differ in their numbers of clusters, they are compared by that t's p-value.

    Args:
        clusters: [Q], the cluster of each query, or [P, Q] for each test its own; None if every
            query stands alone.
        resamples: how many flips are drawn; with C clusters all 2^(C - 1) are tried if they are no
            more.

    Returns:
        p-values [P] and corrected ones [P]. They are 1 with fewer than two clusters.
    """
    single, corrected = np.ones(len(differences)), np.ones(len(differences))
    parts = _by_cluster(differences, clusters)
    sizes = np.array([len(sums) for sums, _ in parts])
    tested = np.flatnonzero(sizes > 1)
    if len(tested) == 0:
        return single, corrected
    flipped = np.unique(np.concatenate([parts[i][1] for i in tested]))
    units = np.zeros((len(flipped), len(tested)))  # of each test, by the queries that it flips
    for column, i in enumerate(tested):
        sums, first = parts[i]
        norm = np.sqrt(np.square(sums).sum())
        units[np.searchsorted(flipped, first), column] = sums / norm if norm > 0 else 0.0
    sizes = sizes[tested]
    found = _comparable(np.abs(units.sum(axis=0)), sizes)
    order = np.argsort(-found, kind="stable")
    # A flip that gives the same statistic but for rounding is as extreme.
    limits = found[order] - 1e-9 * np.maximum(1.0, found[order])
    flips = _flips(len(flipped), resamples, seed)
    alone, family = np.zeros(len(tested)), np.zeros(len(tested))
    for start in range(0, len(flips), _FLIPS_AT_ONCE):
        sums = np.abs(flips[start : start + _FLIPS_AT_ONCE] @ units)
        chance = _comparable(sums, sizes)[:, order]  # [B, P]
        alone += (chance >= limits).sum(axis=0)
        # Largest of this test's and of those whose differences are smaller.
        largest = np.maximum.accumulate(chance[:, ::-1], axis=1)[:, ::-1]
        family += (largest >= limits).sum(axis=0)
    single[tested[order]] = alone / len(flips)
    corrected[tested[order]] = np.maximum.accumulate(family) / len(flips)
    return single, corrected


def _comparable(sums: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Statistics [..., P], each at most √C, on one scale: as they are if all have as many clusters.

    Otherwise -log p of Student's t, t² = (C - 1) x² / (C - x²).
    """
    if (clusters == clusters[0]).all():
        return sums
    squares = np.minimum(np.square(sums), clusters * (1 - 1e-9))  # at √C, t has no end
    t = np.sqrt((clusters - 1) * squares / (clusters - squares))
    return np.asarray(-stats.t.logsf(t, clusters - 1))


def _flips(clusters: int, most: int, seed: int) -> np.ndarray:
    """Signs [B, C], the first all +1: every choice but for a common sign, or `most` drawn."""
    if clusters - 1 < 40 and 2 ** (clusters - 1) <= most:
        choices = np.arange(2 ** (clusters - 1))[:, None] >> np.arange(clusters - 1) & 1
        return np.hstack([np.ones((len(choices), 1)), 1.0 - 2 * choices])
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (most, clusters))
    signs[0] = 1
    return signs


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p-values [P] that belong to one family."""
    return multipletests(p_values, method="holm")[1]
