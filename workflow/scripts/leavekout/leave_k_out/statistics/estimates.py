"""The estimates: each method's mean, and its excess over random removal of as many images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from leavekout.contract.removal import CONTROLS, NO_REMOVAL, RANDOM, TOPIC
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.statistics.paired import paired_means
from leavekout.statistics.resampling import Estimate
from leavekout.statistics.significance import corrected, p_values


def estimates_table(
    measurements: pd.DataFrame, *, looks: Sequence[int] | None = None
) -> pd.DataFrame:
    """One row for each measure, K and method, the controls included.

    Columns: `mean` with `mean_low`, `mean_high`; `excess` over random removal (same seed, same K,
    same queries) with `excess_low`, `excess_high`; their standard errors `mean_error` and
    `excess_error`, and `naive_error`, the excess's over queries alone. `better`: share of queries
    in which the method is better than random removal. `p`: of no excess; `p_corrected`: for all
    methods of the measure and K, and for all planned `looks`. `covers`: what the intervals are
    over. Intervals and tests count `n_clusters` clusters of queries.

    With topic sets, these are a control as well, whose own excess over random removal has no tests,
    and each method has `topic_excess` over them, `topic_excess_low`, `_high`, `_error`, `topic_p`
    and `topic_p_corrected`.
    """
    return pd.DataFrame(
        [
            row
            for measure, arms in arms_of_measures(measurements)
            for row in _rows(arms, measure, looks)
        ]
    )


def _rows(arms: Arms, measure: Measure, looks: Sequence[int] | None) -> list[dict[str, Any]]:
    rows = []
    shared = [(NO_REMOVAL, 0, arms.floor)] if arms.floor.size else []
    shared += [(RANDOM, k, values) for k, values in sorted(arms.random.items())]
    for method, k, values in shared:
        estimate = mean_of_shared(values, arms.clusters)
        rows.append(_row(measure, k, method, values.shape[1], arms, estimate))
    rows += [_of_topic(arms, k, measure) for k in sorted(arms.topic)]
    return rows + rows_of_methods(arms, measure, looks)


def rows_of_methods(
    arms: Arms, measure: Measure, looks: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """The rows of methods, for each K; see `estimates_table`."""
    rows = []
    for k in arms.ks():
        excesses = _excesses(arms, k, measure, looks) if k in arms.random else {}
        over_topic = _excesses_over_topic(arms, k, measure, looks) if k in arms.topic else {}
        for method in arms.methods(k):
            estimate = mean_over_queries(arms.effects[method, k], arms.clusters)
            row = _row(measure, k, method, arms.queries, arms, estimate)
            rows.append(row | excesses.get(method, {}) | over_topic.get(method, {}))
    return rows


def mean_over_queries(cell: np.ndarray, clusters: np.ndarray | None = None) -> Estimate:
    """Mean of cells [Q], each with a model of its own."""
    return paired_means(cell[None], clusters)[0]


def mean_of_shared(values: np.ndarray, clusters: np.ndarray | None = None) -> Estimate:
    """Mean of [Q, S] over queries and the models that they share."""
    return paired_means(values.mean(axis=1)[None], clusters, shared=values)[0]


def columns_of(name: str, e: Estimate) -> dict[str, float]:
    """An estimate with its 95 % interval and standard error, as columns of a table."""
    ends = {"": e.value, "_low": e.low, "_high": e.high, "_error": e.error}
    return {f"{name}{end}": float(value) for end, value in ends.items()}


def _row(
    measure: Measure, k: int, method: str, models: int, arms: Arms, e: Estimate
) -> dict[str, Any]:
    return {
        "measure": measure.name,
        "k": k,
        "method": method,
        "n_queries": arms.queries,
        "n_clusters": arms.independent,
        "n_models": models,
        **columns_of("mean", e.within(measure.range)),
        **dict.fromkeys(("excess", "excess_low", "excess_high", "excess_error"), np.nan),
        "naive_error": float(e.query_error),
        **dict.fromkeys(("better", "p", "p_corrected"), np.nan),
        "covers": _covers(models if method in CONTROLS else 2),
    }


def _excesses(
    arms: Arms, k: int, measure: Measure, looks: Sequence[int] | None
) -> dict[str, dict[str, Any]]:
    """For each method of one K the columns of its excess over random removal, and its tests."""
    methods, random = arms.methods(k), arms.random[k]
    excesses = np.stack([arms.excess(method, k) for method in methods])
    estimates = paired_means(excesses, arms.clusters, shared=random)
    p = p_values(estimates, excesses, arms.clusters)
    of_all = corrected(p, queries=arms.queries, looks=looks)
    better = (measure.direction * excesses > 0).mean(axis=1)
    return {
        method: {
            **columns_of("excess", estimates[i].within(measure.range_of_differences)),
            "naive_error": float(estimates.query_error[i]),
            "better": float(better[i]),
            "p": float(p[i]),
            "p_corrected": float(of_all[i]),
            "covers": _covers(random.shape[1]),
        }
        for i, method in enumerate(methods)
    }


def _of_topic(arms: Arms, k: int, measure: Measure) -> dict[str, Any]:
    """The row of topic removal, with its excess over random removal."""
    values, clusters = arms.topic[k], arms.clusters
    cell = values.mean(axis=1)
    row = _row(measure, k, TOPIC, values.size, arms, mean_over_queries(cell, clusters))
    if k not in arms.random:
        return row
    random = arms.random[k]
    e = paired_means((cell - random.mean(axis=1))[None], clusters, shared=random)[0]
    over_random = columns_of("excess", e.within(measure.range_of_differences))
    return row | over_random | {"naive_error": float(e.query_error)}


def _excesses_over_topic(
    arms: Arms, k: int, measure: Measure, looks: Sequence[int] | None
) -> dict[str, dict[str, Any]]:
    """For each method of one K the columns of its excess over topic removal, and its tests."""
    methods = arms.methods(k)
    cells = np.stack([arms.effects[method, k] for method in methods])
    excesses = over_own(cells, arms.topic[k])
    estimates = paired_means(excesses, arms.clusters)
    p = p_values(estimates, excesses, arms.clusters)
    of_all = corrected(p, queries=arms.queries, looks=looks)
    return {
        method: {
            **columns_of("topic_excess", estimates[i].within(measure.range_of_differences)),
            "topic_p": float(p[i]),
            "topic_p_corrected": float(of_all[i]),
        }
        for i, method in enumerate(methods)
    }


def over_own(cells: np.ndarray, topic: np.ndarray) -> np.ndarray:
    """Each query's effect beyond the mean of its own topic sets: [M, Q].

    No model is shared between queries, as in the difference of two methods: the variance between
    queries contains that of their sets.

    Args:
        cells: [M, Q]; topic: [Q, S].
    """
    return cells - topic.mean(axis=1)


def _covers(models: int) -> str:
    return "queries and models" if models > 1 else "queries"
