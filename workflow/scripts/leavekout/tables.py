"""The tables: every measurement, the leave-K-out summary, and methods against random."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

MEASURES = ("delta_loss", "mse", "clip")
CONTROL, NO_REMOVAL = "random", "no_removal"


def per_query_table(
    evaluations: Iterable[Mapping[str, Any]], queries: Sequence[str]
) -> pd.DataFrame:
    """One row for each evaluated model and query of `queries`.

    Columns: method, query, k, seed, delta_loss, mse, clip. The seed is the training's; for random
    removal, whose trainings all have the source model's seed, it is the number of the set.
    """
    rows = [
        {"method": e["method"], "k": e["k"], "seed": e["seed"], **measured}
        for e in evaluations
        for measured in e["queries"]
    ]
    table = pd.DataFrame(rows, columns=["method", "query", "k", "seed", *MEASURES])
    table = table[table["query"].isin(queries)]
    return table.sort_values(["method", "k", "query", "seed"], ignore_index=True)


def summary_table(per_query: pd.DataFrame) -> pd.DataFrame:
    """One row for each method and K: n_queries, n_models, mean and standard error of each measure.

    Each query's measures are averaged over the models first, so that the standard error is over
    queries: the sample standard deviation over √n_queries.
    """
    by_query = _mean_by_query(per_query)
    groups = by_query.groupby(["method", "k"])
    summary = groups.size().to_frame("n_queries")
    models = per_query.groupby(["method", "k"])
    shared = per_query["method"].isin([CONTROL, NO_REMOVAL])
    seeds = per_query[shared].groupby(["method", "k"])["seed"].nunique()
    summary["n_models"] = seeds.reindex(summary.index).fillna(models.size()).astype(int)
    for measure in MEASURES:
        summary[measure] = groups[measure].mean()
        summary[f"{measure}_se"] = groups[measure].sem()
    return summary.reset_index()


def _mean_by_query(per_query: pd.DataFrame) -> pd.DataFrame:
    return per_query.groupby(["method", "k", "query"], as_index=False)[list(MEASURES)].mean()


def paired_table(per_query: pd.DataFrame, *, resamples: int, seed: int = 0) -> pd.DataFrame:
    """The difference between each method and random removal of the same K, query by query.

    Columns: method, k, measure, n_queries, difference (mean over queries), low, high (95 %
    percentile bootstrap interval over queries), better (share of queries in which the method is
    on the right side of random: higher ΔL and MSE, lower CLIP).
    """
    by_query = _mean_by_query(per_query).set_index(["k", "query"])
    control = by_query[by_query["method"] == CONTROL]
    rows = []
    methods = by_query[~by_query["method"].isin([CONTROL, NO_REMOVAL])]
    for (method, k), group in methods.groupby(["method", "k"]):
        common = group.index.intersection(control.index)
        for measure in MEASURES if len(common) else ():
            difference = (group.loc[common, measure] - control.loc[common, measure]).to_numpy()
            low, high = _interval(difference, resamples, seed)
            sign = -1 if measure == "clip" else 1
            rows.append({
                "method": method, "k": k, "measure": measure, "n_queries": len(difference),
                "difference": difference.mean(), "low": low, "high": high,
                "better": (sign * difference > 0).mean(),
            })  # fmt: skip
    columns = ["method", "k", "measure", "n_queries", "difference", "low", "high", "better"]
    return pd.DataFrame(rows, columns=columns)


def _interval(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean; not a number below two values."""
    if len(values) < 2:
        return np.nan, np.nan
    result = bootstrap(
        (values,), np.mean, n_resamples=resamples, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def forgetting_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """How far models that forgot a query deviate, on it and elsewhere (CR Tables 3 and 4).

    Args:
        rows: dicts of `method`, `query` (the forgotten one), `model` (`unlearned`, `k50`, …) and
            `measured`, an evaluation on queries or on related prompts.

    Returns:
        One row for each method, model and kind of prompt: `target`, the forgotten query itself;
        `related`, its related prompts; `other`, the other queries. Mean and standard error of each
        measure over the forgotten queries, after a mean over the prompts of one kind.
    """
    table = pd.DataFrame([
        {
            "method": row["method"], "model": row["model"], "forgotten": row["query"],
            "prompts": _kind(measured["query"], row["query"]), **measured,
        }
        for row in rows
        for measured in row["measured"]["queries"]
    ])  # fmt: skip
    keys = ["method", "model", "prompts"]
    by_query = table.groupby([*keys, "forgotten"])[list(MEASURES)].mean()
    groups = by_query.groupby(keys)
    summary = groups.size().to_frame("n_queries")
    for measure in MEASURES:
        summary[measure] = groups[measure].mean()
        summary[f"{measure}_se"] = groups[measure].sem()
    return summary.reset_index()


def _kind(name: str, forgotten: str) -> str:
    if name == forgotten:
        return "target"
    return "related" if name.startswith(f"{forgotten}-") else "other"


def readable(summary: pd.DataFrame) -> str:
    """The summary as text for the terminal, rounded to its standard errors."""
    table = summary[["method", "k", "n_queries", "n_models"]].copy()
    for measure, name in zip(MEASURES, ("ΔL", "MSE", "CLIP similarity"), strict=True):
        pairs = zip(summary[measure], summary[f"{measure}_se"], strict=True)
        table[name] = [_rounded(mean, error) for mean, error in pairs]
    return table.rename(columns={"method": "removed by", "k": "K"}).to_string(index=False)


def _rounded(mean: float, error: float) -> str:
    """`mean ± error` with two digits of the error."""
    if not np.isfinite(error) or error == 0:
        return f"{mean:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
