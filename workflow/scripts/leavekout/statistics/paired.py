"""Means of paired differences over queries: their errors, intervals and tests.

Queries of one cluster depend on each other, so a variance comes from the sums of whole clusters.
Where several methods or pairs are tested, their variances inform each other.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from leavekout.statistics.resampling import Estimate, numbered

_LARGE = 1e6  # half of the prior's degrees of freedom where variances do not differ
_TINY = 1e-5  # variances below this share of their median count as this (as in limma)


def paired_means(
    differences: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    shared: np.ndarray | None = None,
) -> Estimate:
    """The means over Q queries of P paired differences [P, Q], all of one kind.

    The variance of a mean is s² / Q with s² of `cluster_variances`; if P > 1, `moderated`. To it
    comes that of the models that all queries share, with Satterthwaite's degrees of freedom.

    Args:
        clusters: [Q], the cluster of each query; None makes every query its own cluster.
        shared: [Q, S], effects of S models that all queries share, whose mean over models is in
            each difference; a single one shows no noise of models.
    """
    queries = differences.shape[1]
    members = numbered(np.arange(queries) if clusters is None else clusters)
    value = differences.mean(axis=1)
    if members.max() == 0:
        nothing = np.full(len(value), np.nan)
        return Estimate(value, nothing, nothing, nothing)
    variances, freedom = cluster_variances(differences, members)
    variances, prior = moderated(variances, freedom)
    of_queries = variances / queries
    total = np.full(len(value), freedom + prior)
    if shared is None or shared.shape[1] < 2:
        return Estimate(value, np.sqrt(of_queries), np.sqrt(of_queries), total)
    models = shared.shape[1]
    means = shared.mean(axis=0)
    of_models = means.var(ddof=1) / models
    # What a model does to one query is in both parts, and counts once.
    own = (shared - shared.mean(axis=1, keepdims=True) - means).T  # [S, Q]
    twice = cluster_variances(own, members)[0].sum() / (queries * models * (models - 1))
    both = of_queries + of_models
    error = np.sqrt(np.maximum(np.maximum(of_queries, of_models), both - twice))
    parts = of_queries**2 / total + of_models**2 / (models - 1)
    freedoms = np.divide(both**2, parts, out=total.copy(), where=parts > 0)
    return Estimate(value, error, np.sqrt(of_queries), freedoms)


def cluster_variances(differences: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, float]:
    """s² [P] of differences [P, Q], where s² / Q is the variance of a mean, and its freedom.

    s² = Σ_c g_c² / tr Ω, with g_c the sum of a cluster's deviations from the mean, n its number of
    queries, and Ω = diag(n) − n nᵀ / Q; degrees of freedom (tr Ω)² / tr Ω² (Bell and McCaffrey,
    2002). Unbiased if queries are independent, or clusters of one size. Clusters of one query make
    it the plain variance, with Q − 1.

    Args:
        members: [Q], the cluster of each query, numbered from 0; at least two clusters.
    """
    sizes = np.bincount(members)
    omega = np.diag(sizes) - np.outer(sizes, sizes) / len(members)
    deviations = differences - differences.mean(axis=1, keepdims=True)
    sums = deviations @ np.eye(len(sizes))[members]  # [P, C]
    trace = np.trace(omega)
    return np.square(sums).sum(axis=1) / trace, float(trace**2 / np.square(omega).sum())


def moderated(variances: np.ndarray, freedom: float) -> tuple[np.ndarray, float]:
    """Variances [P] shrunk towards a common one, and the degrees of freedom that this adds.

    Smyth (2004), as in limma: a scaled inverse χ² prior with s0² and d0 degrees of freedom is
    fitted to the variances by the first two moments of their logarithm; then
    s̃² = (d0 s0² + d s²) / (d0 + d). Pairs of methods depend on each other, so their variances
    differ less than the fit assumes. So d0 is at most d: the prior counts no more than the data.
    """
    median = np.median(variances)
    if len(variances) < 2 or median == 0:
        return variances, 0.0
    half = freedom / 2
    logs = np.log(np.maximum(variances, _TINY * median)) - digamma(half) + np.log(half)
    excess = logs.var(ddof=1) - polygamma(1, half)
    y = _LARGE
    if excess > polygamma(1, _LARGE):
        y = float(brentq(lambda y: polygamma(1, y) - excess, 1 / np.sqrt(excess), _LARGE))
    common = np.exp(logs.mean() + digamma(y) - np.log(y))
    prior = min(2 * y, freedom)
    return (prior * common + freedom * variances) / (prior + freedom), prior
