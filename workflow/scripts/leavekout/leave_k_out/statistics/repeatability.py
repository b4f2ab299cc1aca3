"""Repeatability: would a method select the same images again with new noise?

We compare the scores from two independent halves of a method's draws. Two complete scorings would
agree better than two halves; if the errors of draws are independent, the Spearman-Brown formula
predicts how well: r → 2r / (1 + r).
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from leavekout.contract.scores import top_k
from leavekout.leave_k_out.statistics.lds import rank_correlations

COLUMNS = (
    *("method", "k", "n_queries", "rank_correlation_halves", "overlap_halves"),
    *("rank_correlation", "overlap", "overlap_error", "overlap_lowest"),
)
_LARGEST = 0.999_99  # correlation for which the bivariate normal distribution is computed


def overlap(first: np.ndarray, second: np.ndarray, k: int) -> float:
    """The share of the top K of scores [N] that is in the top K of others."""
    return len(np.intersect1d(top_k(first, k), top_k(second, k))) / k


def of_the_whole(correlation: float) -> float:
    """The correlation of two complete scorings, from that of two halves (Spearman-Brown)."""
    return 2 * correlation / (1 + correlation) if correlation > 0 else correlation


def overlap_of_the_whole(halves: float, share: float) -> float:
    """The overlap of the top K of two complete scorings, from that of two halves.

    The halves are modelled as two normal variables, whose correlation gives their overlap above a
    common quantile. `of_the_whole` predicts the correlation of two complete scorings.

    Args:
        halves: overlap of the halves' top K; share: K / N.
    """
    if halves >= _overlap_at(_LARGEST, share):
        return max(halves, _overlap_at(_LARGEST, share))
    if halves <= share:  # no better than chance
        return halves
    latent = brentq(lambda r: _overlap_at(r, share) - halves, 0.0, _LARGEST)
    return _overlap_at(of_the_whole(latent), share)


def _overlap_at(correlation: float, share: float) -> float:
    """P(both above their (1 − share)-quantile) / share of two normal variables."""
    point = norm.ppf(share)
    covariance = [[1.0, correlation], [correlation, 1.0]]
    return float(multivariate_normal.cdf([point, point], cov=covariance)) / share


def repeatability_table(
    halves: Iterable[tuple[str, str, np.ndarray]], ks: Iterable[int]
) -> pd.DataFrame:
    """One row for each method and K: means over queries.

    Columns: rank correlation over all images and overlap of the top K, of the two halves and,
    predicted from these, of two complete scorings; `overlap_error`, the standard error over
    queries; `overlap_lowest`, of the query that repeats worst.

    Args:
        halves: (method, query, scores [2, N] by each half of the draws). Methods with one draw have
            NaN and are left out.
    """
    ks, rows = list(ks), []
    for method, query, (first, second) in halves:
        if np.isnan(first).any():
            continue
        correlation = float(rank_correlations(first, second))
        for k in ks:
            of_halves = overlap(first, second, k)
            rows.append(
                {
                    "method": method,
                    "k": k,
                    "query": query,
                    "rank_correlation_halves": correlation,
                    "overlap_halves": of_halves,
                    "rank_correlation": of_the_whole(correlation),
                    "overlap": overlap_of_the_whole(of_halves, k / len(first)),
                }
            )
    table = pd.DataFrame(rows, columns=[*COLUMNS[:2], "query", *COLUMNS[3:7]])
    groups = table.groupby(["method", "k"], sort=False)
    means = groups[list(COLUMNS[3:7])].mean()
    means["n_queries"] = groups.size()
    means["overlap_error"] = groups["overlap"].sem()
    means["overlap_lowest"] = groups["overlap"].min()
    return means.reset_index()[list(COLUMNS)]
