"""Which methods can be told apart: paired differences and their tests."""

from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.arms import Arms, arms_of
from leavekout.leave_k_out.statistics.power import queries_needed
from leavekout.statistics.resampling import Resamples, mean
from leavekout.statistics.significance import LEVEL, paired_tests


def comparisons_table(measurements: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """One row for each measure, K and pair of methods, the one that is ahead first.

    Columns: `difference` of the means over queries, ahead minus behind, with `low`, `high` (95 %,
    over queries and with them their models); `share_ahead`: share of queries in which it is ahead;
    `p`: two-sided, of `paired_tests`; `p_corrected`: for all pairs of the measure and K;
    `distinguishable`: p_corrected ≤ 0.05; `queries_needed`: for 80 % power at Holm's level, if
    the true difference is the observed one and further queries resemble each other as these do.
    Interval and tests take queries by the cluster, of which there are `n_clusters`.
    """
    columns = [
        "measure",
        "k",
        "ahead",
        "behind",
        "n_queries",
        "n_clusters",
        "difference",
        "low",
        "high",
        "share_ahead",
        "p",
        "p_corrected",
        "distinguishable",
        "queries_needed",
    ]
    tables = [
        compare(arms_of(measurements, measure.name), k, measure.name, resamples=resamples)
        for measure in measures_in(measurements["measure"])
        for k in arms_of(measurements, measure.name).ks()
    ]
    return pd.concat([pd.DataFrame(columns=columns), *tables])[columns].reset_index(drop=True)


def compare(arms: Arms, k: int, measure: str, *, resamples: int) -> pd.DataFrame:
    """The rows of `comparisons_table` for one measure and K."""
    sign = measure_of(measure).direction
    pairs = [
        pair
        if sign * (arms.effects[pair[0], k].mean() - arms.effects[pair[1], k].mean()) >= 0
        else pair[::-1]
        for pair in combinations(arms.methods(k), 2)
    ]
    if not pairs:
        return pd.DataFrame()
    effects = arms.effects
    differences = np.stack(
        [effects[ahead, k] - effects[behind, k] for ahead, behind in pairs]
    )  # [P, Q]
    draws = Resamples(arms.queries, [], count=resamples, clusters=arms.clusters)
    estimate = draws.estimate(lambda q, m: mean(differences.T, q))
    p_values, corrected = paired_tests(differences, resamples=resamples, clusters=arms.clusters)
    return pd.DataFrame(
        {
            "measure": measure,
            "k": k,
            "ahead": [ahead for ahead, _ in pairs],
            "behind": [behind for _, behind in pairs],
            "n_queries": arms.queries,
            "n_clusters": arms.independent,
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "share_ahead": (sign * differences > 0).mean(axis=1),
            "p": p_values,
            "p_corrected": corrected,
            "distinguishable": corrected <= LEVEL,
            "queries_needed": [
                queries_needed(d, level=LEVEL / len(pairs), clusters=arms.clusters)
                for d in differences
            ],
        }
    )


def indistinguishable(comparisons: pd.DataFrame, order: list[str]) -> list[list[str]]:
    """The largest groups of methods of which no two can be told apart, each in the given order.

    Args:
        comparisons: the rows of one measure and K; order: its methods, best first.
    """
    graph = nx.Graph()
    graph.add_nodes_from(order)
    open_pairs = comparisons[~comparisons["distinguishable"].astype(bool)]
    graph.add_edges_from(zip(open_pairs["ahead"], open_pairs["behind"], strict=True))
    groups = [sorted(group, key=order.index) for group in nx.find_cliques(graph)]
    return sorted(groups, key=lambda group: [order.index(name) for name in group])
