"""The estimates: each method's mean, and its excess over random removal of as many images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from leavekout.contract.removal import CONTROLS, NO_REMOVAL, RANDOM, TOPIC
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.statistics.resampling import Estimate, Resamples, mean, shared_mean
from leavekout.statistics.significance import paired_tests


def estimates_table(measurements: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """One row for each measure, K and method, the controls included.

    Columns: `mean` with `mean_low`, `mean_high`; `excess` over random removal (same seed, same K,
    same queries) with `excess_low`, `excess_high`; their standard errors `mean_error` and
    `excess_error`, and `naive_error`, the excess's over queries alone. `better`: share of queries
    in which the method is better than random removal. `p`: of no excess; `p_corrected`: for all
    methods of the measure and K. `covers`: what the intervals are over. Intervals and tests
    resample whole clusters of queries; there are `n_clusters`.

    With topic sets, these are a control as well, whose own excess over random removal has no tests,
    and each method has `topic_excess` over them, `topic_excess_low`, `_high`, `_error`, `topic_p`
    and `topic_p_corrected`.
    """
    return pd.DataFrame(
        [
            row
            for measure, arms in arms_of_measures(measurements)
            for row in _rows(arms, measure, resamples)
        ]
    )


def _rows(arms: Arms, measure: Measure, count: int) -> list[dict[str, Any]]:
    rows = []
    shared = [(NO_REMOVAL, 0, arms.floor)] if arms.floor.size else []
    shared += [(RANDOM, k, values) for k, values in sorted(arms.random.items())]
    for method, k, values in shared:
        estimate = mean_of_shared(values, count, clusters=arms.clusters)
        rows.append(_row(measure, k, method, values.shape[1], arms, estimate))
    rows += [_of_topic(arms, k, measure, count) for k in sorted(arms.topic)]
    for k in arms.ks():
        excesses = _excesses(arms, k, measure, count) if k in arms.random else {}
        over_topic = _excesses_over_topic(arms, k, measure, count) if k in arms.topic else {}
        for method in arms.methods(k):
            estimate = mean_over_queries(arms.effects[method, k], count, clusters=arms.clusters)
            row = _row(measure, k, method, arms.queries, arms, estimate)
            rows.append(row | excesses.get(method, {}) | over_topic.get(method, {}))
    return rows


def mean_over_queries(
    cell: np.ndarray, count: int, *, clusters: np.ndarray | None = None
) -> Estimate:
    """Mean of cells [Q], each with a model of its own."""
    draws = Resamples(len(cell), [], count=count, clusters=clusters)
    return draws.estimate(lambda q, _: mean(cell, q))


def mean_of_shared(
    values: np.ndarray, count: int, seed: int = 0, *, clusters: np.ndarray | None = None
) -> Estimate:
    """Mean of [Q, S] over queries and the models that they share."""
    queries, models = values.shape
    draws = Resamples(queries, [models], count=count, seed=seed, clusters=clusters)
    return draws.estimate(lambda q, m: shared_mean(values, q, m), models=models)


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


def _excesses(arms: Arms, k: int, measure: Measure, count: int) -> dict[str, dict[str, Any]]:
    """For each method of one K the columns of its excess over random removal, and its tests."""
    methods, random, clusters = arms.methods(k), arms.random[k], arms.clusters
    cells = np.stack([arms.effects[method, k] for method in methods])
    estimates = [excess(cell, random, count=count, clusters=clusters) for cell in cells]
    p_values, corrected = p_of_excess(estimates, cells, random, count=count, clusters=clusters)
    return {
        method: {
            **columns_of("excess", e.within(measure.range_of_differences)),
            "naive_error": float(e.query_error),
            "better": float((measure.direction * arms.excess(method, k) > 0).mean()),
            "p": float(p),
            "p_corrected": float(p_of_all),
            "covers": _covers(random.shape[1]),
        }
        for method, e, p, p_of_all in zip(methods, estimates, p_values, corrected, strict=True)
    }


def _of_topic(arms: Arms, k: int, measure: Measure, count: int) -> dict[str, Any]:
    """The row of topic removal, with its excess over random removal."""
    values, clusters = arms.topic[k], arms.clusters
    cell = values.mean(axis=1)
    row = _row(
        measure, k, TOPIC, values.size, arms, mean_over_queries(cell, count, clusters=clusters)
    )
    if k not in arms.random:
        return row
    e = excess(cell, arms.random[k], count=count, clusters=clusters)
    over_random = columns_of("excess", e.within(measure.range_of_differences))
    return row | over_random | {"naive_error": float(e.query_error)}


def _excesses_over_topic(
    arms: Arms, k: int, measure: Measure, count: int
) -> dict[str, dict[str, Any]]:
    """For each method of one K the columns of its excess over topic removal, and its tests."""
    methods = arms.methods(k)
    cells = np.stack([arms.effects[method, k] for method in methods])
    differences = over_own(cells, arms.topic[k])
    p_values, corrected = paired_tests(differences, resamples=count, clusters=arms.clusters)
    estimates = [mean_over_queries(row, count, clusters=arms.clusters) for row in differences]
    return {
        method: {
            **columns_of("topic_excess", e.within(measure.range_of_differences)),
            "topic_p": float(p),
            "topic_p_corrected": float(p_of_all),
        }
        for method, e, p, p_of_all in zip(methods, estimates, p_values, corrected, strict=True)
    }


def over_own(cells: np.ndarray, topic: np.ndarray) -> np.ndarray:
    """Each query's effect beyond the mean of its own topic sets: [M, Q].

    No model is shared between queries, as in the difference of two methods: a query's sets are
    resampled with it, and the variance between queries contains theirs.

    Args:
        cells: [M, Q]; topic: [Q, S].
    """
    return cells - topic.mean(axis=1)


def excess(
    cell: np.ndarray,
    random: np.ndarray,
    *,
    count: int,
    seed: int = 0,
    clusters: np.ndarray | None = None,
) -> Estimate:
    """Mean over queries of a method's cells [Q] minus that of random models [Q, S] of the same K.

    A cell has a model of its own, so its retraining noise is resampled with its query. All queries
    share the random models, so these are resampled by themselves.
    """
    sets = random.shape[1]
    draws = Resamples(len(cell), [sets], count=count, seed=seed, clusters=clusters)
    return draws.estimate(lambda q, m: mean(cell, q) - shared_mean(random, q, m), models=sets)


def p_of_excess(
    estimates: Sequence[Estimate],
    cells: np.ndarray,
    random: np.ndarray,
    *,
    count: int,
    clusters: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided p-values [M] of no excess, and p-values corrected for all M methods.

    Each is the largest of three p-values. The t-test of the estimate knows that all queries share
    the random models; sign flips of the queries' differences need no normal distribution; Hall's
    t-test needs no symmetry.

    Args:
        estimates: of `excess`, one for each method; cells: [M, Q]; random: [Q, S].
    """
    of_estimate = np.array([e.p_value() for e in estimates], np.float64)
    if np.isnan(of_estimate).all():  # one query, or one cluster of them
        return of_estimate, of_estimate
    return paired_tests(
        cells - random.mean(axis=1),
        resamples=count,
        clusters=clusters,
        also=np.nan_to_num(of_estimate, nan=1.0),  # where nothing varies
    )


def _covers(models: int) -> str:
    return "queries and models" if models > 1 else "queries"
