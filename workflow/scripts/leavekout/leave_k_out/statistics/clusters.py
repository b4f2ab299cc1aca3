"""Clusters of queries: those whose prompts name the same topics count as one.

Queries on one topic are not independent: methods select similar images for them, so their retrained
models are similar, and a method that is ahead on one may be ahead on the other for that reason.
Clusters are fixed by the prompts, before anything is generated.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.leave_k_out.topics import topics_named
from leavekout.statistics.resampling import numbered

_PERMUTATIONS = 10_000
_COLUMNS = ["measure", "k", "n_queries", "n_clusters", "correlation", "p"]


def clusters(prompts: Mapping[str, str], topics: Sequence[str] | None) -> dict[str, str]:
    """The cluster of each query: the topics that its prompt names, or the query itself.

    Args:
        prompts: of each query; topics: of `dataset.topics`.
    """
    named = {query: topics_named(prompt, topics or []) for query, prompt in prompts.items()}
    return {query: " and ".join(own) or query for query, own in named.items()}


def intraclass_table(measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each measure and K: how alike the queries of a cluster are.

    Columns: `correlation`, the intraclass correlation of paired differences of methods, over all
    pairs of methods; `p`: one-sided, of queries having nothing to do with their clusters. Empty if
    no two queries are of one cluster, all are, or there is one method.
    """
    rows = [
        (measure.name, k, arms.queries, arms.independent, *_correlation(arms, k))
        for measure, arms in arms_of_measures(measurements)
        for k in arms.ks()
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _correlation(arms: Arms, k: int) -> tuple[float, float]:
    effects = [arms.effects[method, k] for method in arms.methods(k)]
    differences = [a - b for a, b in combinations(effects, 2)]
    varying = [d for d in differences if d.std() > 0]
    if not varying or not 1 < arms.independent < arms.queries:
        return np.nan, np.nan
    return intraclass_correlation(np.stack(varying), arms.clusters)


def intraclass_correlation(differences: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """The correlation of two queries of a cluster, and its p-value, one-sided, by permutation.

    Each of P differences [P, Q] is standardised. The mean squares between and within clusters,
    summed over P, give (B − W) / (B + (n0 − 1) W) with n0 = (Q − Σ n² / Q) / (C − 1) (Fisher's
    analysis of variance for clusters of n queries). For p, queries change places.
    """
    members = numbered(clusters)
    sizes = np.bincount(members)
    queries, count = len(members), len(sizes)
    units = differences - differences.mean(axis=1, keepdims=True)
    units /= units.std(axis=1, keepdims=True)
    products = units.T @ units  # [Q, Q]
    rng = np.random.default_rng(0)
    order = [np.arange(queries), *(rng.permutation(queries) for _ in range(_PERMUTATIONS))]
    weights = (members[:, None] == members) / sizes[members]
    between = np.array([(products[np.ix_(o, o)] * weights).sum() for o in order])
    b = between[0] / (count - 1)
    w = (np.trace(products) - between[0]) / (queries - count)
    n0 = (queries - np.square(sizes).sum() / queries) / (count - 1)
    p = np.mean(between >= between[0] * (1 - 1e-9))
    return float((b - w) / (b + (n0 - 1) * w)), float(p)
