"""Which methods are significantly different: paired differences and their tests."""

from collections.abc import Sequence
from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.leave_k_out.statistics.power import queries_needed
from leavekout.statistics.paired import paired_means
from leavekout.statistics.significance import LEVEL, corrected, p_values

COLUMNS = [
    *("measure", "k", "ahead", "behind", "n_queries", "n_clusters", "difference", "low", "high"),
    *("share_ahead", "p", "p_corrected", "distinguishable", "queries_needed"),
]


def comparisons_table(
    measurements: pd.DataFrame, *, looks: Sequence[int] | None = None
) -> pd.DataFrame:
    """One row for each measure, K and pair of methods, the one that is ahead first.

    Columns: `difference` of the means over queries, ahead minus behind, with `low`, `high` (95 %,
    over queries and with them their models); `share_ahead`: share of queries in which it is ahead;
    `p`: two-sided, of `significance.p_values`; `p_corrected`: for all pairs of the measure and K,
    and for all planned `looks`; `distinguishable`: p_corrected ≤ 0.05; `queries_needed`: for 80 %
    power at Holm's level, if the true difference is the observed one and further queries resemble
    each other as these do. Intervals and tests count `n_clusters` clusters of queries; with one,
    there are none.
    """
    tables = [
        compare(arms, k, measure, looks=looks)
        for measure, arms in arms_of_measures(measurements)
        for k in arms.ks()
    ]
    return pd.concat([pd.DataFrame(columns=COLUMNS), *tables])[COLUMNS].reset_index(drop=True)


def compare(
    arms: Arms, k: int, measure: Measure, *, looks: Sequence[int] | None = None
) -> pd.DataFrame:
    """The rows of `comparisons_table` for one measure and K."""
    effects = {method: arms.effects[method, k] for method in arms.methods(k)}
    pairs = [
        (a, b) if measure.direction * (effects[a].mean() - effects[b].mean()) >= 0 else (b, a)
        for a, b in combinations(effects, 2)
    ]
    if not pairs:
        return pd.DataFrame()
    differences = np.stack([effects[ahead] - effects[behind] for ahead, behind in pairs])  # [P, Q]
    estimate = paired_means(differences, arms.clusters).within(measure.range_of_differences)
    p = np.nan_to_num(p_values(estimate, differences, arms.clusters), nan=1.0)  # of one cluster
    of_all = corrected(p, queries=arms.queries, looks=looks)
    return pd.DataFrame(
        {
            "measure": measure.name,
            "k": k,
            "ahead": [ahead for ahead, _ in pairs],
            "behind": [behind for _, behind in pairs],
            "n_queries": arms.queries,
            "n_clusters": arms.independent,
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "share_ahead": (measure.direction * differences > 0).mean(axis=1),
            "p": p,
            "p_corrected": of_all,
            "distinguishable": of_all <= LEVEL,
            "queries_needed": [
                queries_needed(
                    estimate[i],
                    level=LEVEL / len(pairs),
                    queries=arms.queries,
                    clusters=arms.independent,
                )
                for i in range(len(pairs))
            ],
        }
    )


def indistinguishable(comparisons: pd.DataFrame, order: list[str]) -> list[list[str]]:
    """The largest groups in which no two methods are significantly different.

    Args:
        comparisons: the rows of one measure and K.
        order: its methods, best first, in which the members of each group are sorted.
    """
    graph = nx.Graph()
    graph.add_nodes_from(order)
    open_pairs = comparisons[~comparisons["distinguishable"].astype(bool)]
    graph.add_edges_from(zip(open_pairs["ahead"], open_pairs["behind"], strict=True))
    groups = [sorted(group, key=order.index) for group in nx.find_cliques(graph)]
    return sorted(groups, key=lambda group: [order.index(name) for name in group])
