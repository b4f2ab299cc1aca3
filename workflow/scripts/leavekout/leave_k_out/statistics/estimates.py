"""The estimates: each method's mean, and its excess over random removal of as many images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.arms import Arms, arms_of
from leavekout.leave_k_out.statistics.measurements import CONTROL, NO_REMOVAL
from leavekout.statistics.resampling import Estimate, Resamples, mean, shared_mean
from leavekout.statistics.significance import paired_tests


def estimates_table(measurements: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """One row for each measure, K and method, the controls among them.

    Columns: `mean` with `mean_low`, `mean_high`; `excess` over random removal (same seed, same K,
    same queries) with `excess_low`, `excess_high`; their standard errors `mean_error` and
    `excess_error`, and `naive_error`, the excess's over queries alone. `better`: share of queries
    in which the method is on the right side of random. `p`: of no excess; `p_corrected`: for all
    methods of the measure and K. `covers`: what the intervals are over. Intervals and tests
    take queries by the cluster, of which there are `n_clusters`.
    """
    rows = [
        row
        for measure in measures_in(measurements["measure"])
        for row in _rows(arms_of(measurements, measure.name), measure, resamples)
    ]
    return pd.DataFrame(rows)


def _rows(arms: Arms, measure: Measure, count: int) -> list[dict]:
    rows = []
    shared = [(NO_REMOVAL, 0, arms.floor)] if arms.floor.size else []
    shared += [(CONTROL, k, values) for k, values in sorted(arms.random.items())]
    for method, k, values in shared:
        shared_mean_of = mean_of_shared(values, count, clusters=arms.clusters)
        rows.append(_row(measure.name, k, method, values.shape[1], arms, shared_mean_of))
    for k in arms.ks():
        excesses = _excesses(arms, k, measure.direction, count) if k in arms.random else {}
        for method in arms.methods(k):
            cell = arms.effects[method, k]
            of_cell = mean_over_queries(cell, count, clusters=arms.clusters)
            row = _row(measure.name, k, method, arms.queries, arms, of_cell)
            rows.append(row | excesses.get(method, {}))
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


def _row(measure: str, k: int, method: str, models: int, arms: Arms, e: Estimate) -> dict:
    shared = method in (CONTROL, NO_REMOVAL)
    return {
        "measure": measure,
        "k": k,
        "method": method,
        "n_queries": arms.queries,
        "n_clusters": arms.independent,
        "n_models": models,
        "mean": float(e.value),
        "mean_low": float(e.low),
        "mean_high": float(e.high),
        "mean_error": float(e.error),
        "excess": np.nan,
        "excess_low": np.nan,
        "excess_high": np.nan,
        "excess_error": np.nan,
        "naive_error": float(e.query_error),
        "better": np.nan,
        "p": np.nan,
        "p_corrected": np.nan,
        "covers": _covers(models if shared else 2),
    }


def _excesses(arms: Arms, k: int, sign: int, count: int) -> dict[str, dict]:
    """Of each method of one K, how far it goes beyond random removal, and its tests."""
    methods, random = arms.methods(k), arms.random[k]
    if not methods:
        return {}
    cells = np.stack([arms.effects[method, k] for method in methods])
    found = [excess(cell, random, count=count, clusters=arms.clusters) for cell in cells]
    p_values, corrected = p_of_excess(found, cells, random, count=count, clusters=arms.clusters)
    return {
        method: {
            "excess": float(e.value),
            "excess_low": float(e.low),
            "excess_high": float(e.high),
            "excess_error": float(e.error),
            "naive_error": float(e.query_error),
            "better": float((sign * (cell - random.mean(axis=1)) > 0).mean()),
            "p": float(p),
            "p_corrected": float(p_of_all),
            "covers": _covers(random.shape[1]),
        }
        for method, cell, e, p, p_of_all in zip(
            methods, cells, found, p_values, corrected, strict=True
        )
    }


def excess(
    cell: np.ndarray,
    random: np.ndarray,
    *,
    count: int,
    seed: int = 0,
    clusters: np.ndarray | None = None,
) -> Estimate:
    """Mean over queries of a method's cells [Q] minus that of random models [Q, S] of the same K.

    A cell has a model of its own, so its retraining noise is drawn again with its query; the random
    models are shared by all queries, so they are drawn again by themselves.
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

    Each is the largest of three, each of which sees what others miss: the t-test of the estimate
    knows that the random models are shared by all queries; sign flips of the queries' differences
    need no normal distribution, and Hall's t-test no symmetry.

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
