"""How much an effect varies by retraining alone: cells that were trained from two seeds.

Trained from the source's seed, a cell's effect is L(cell) - L(θ0). Trained from another seed s, it
is L(cell_s) - L(θ_s), with θ_s the model of that seed without a removal. Half of the variance of
the difference is the variance of one effect over trainings.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.contract.removal import NO_REMOVAL, TARGET

ALL = "all methods"
_COLUMNS = ["method", "k", "cells", "first", "second", "retraining", "own", "share", "correlation"]
_LOSS = "delta_loss"  # measures of pictures are distances from the source's, not differences


def seeds_table(tables: Iterable[pd.DataFrame], measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each method and K, and for all methods of a K together, by ΔL.

    Columns: `cells`, the number of cells that were trained twice; `first`, `second`, their mean
    effects by the two seeds; `retraining`, the variance of one cell's effect over trainings; `own`,
    the part of it that methods do not share on a query, the only one in comparisons of methods;
    `share`, of `retraining` in the variance of an effect, at most 1; `correlation` of the two
    effects over cells. Columns that need more cells, or two methods on a query, may be empty. The
    table is empty if ΔL is not among the measures.

    Args:
        tables: of `measuring.measure_outcomes`, of the models of another seed; measurements: of
            the study.
    """
    again = pd.concat(tables, ignore_index=True)
    again = again[(again["measure"] == _LOSS) & (again["role"] == TARGET)]
    losses = measurements[measurements["measure"] == _LOSS]
    floor = losses[losses["method"] == NO_REMOVAL]
    of_cell, of_query = ["method", "k", "query"], ["training_seed", "query"]
    second = again.merge(floor[[*of_query, "value"]], on=of_query, suffixes=("", "_unremoved"))
    second = second.assign(second=second["value"] - second["value_unremoved"])
    first = losses[[*of_cell, "value"]].rename(columns={"value": "first"})
    cells = second[[*of_cell, "second"]].merge(first, on=of_cell)
    rows = []
    for k, of_k in cells.groupby("k"):
        groups = [(str(method), group) for method, group in of_k.groupby("method")]
        rows += [_row(name, k, group) for name, group in [*groups, (ALL, of_k)]]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(method: str, k: object, cells: pd.DataFrame) -> dict:
    first, second = cells["first"].to_numpy(), cells["second"].to_numpy()
    several, retraining, share = len(cells) > 1, np.nan, np.nan
    ordered = len(cells) > 2 and np.ptp(first) > 0 and np.ptp(second) > 0
    if several:
        retraining = (first - second).var(ddof=1) / 2
        of_effects = (first.var(ddof=1) + second.var(ddof=1)) / 2
        share = min(1.0, retraining / of_effects) if of_effects else np.nan
    return {
        "method": method,
        "k": k,
        "cells": len(cells),
        "first": first.mean(),
        "second": second.mean(),
        "retraining": retraining,
        "own": _within_queries(cells["first"] - cells["second"], cells["query"]) / 2,
        "share": share,
        "correlation": stats.pearsonr(first, second).statistic if ordered else np.nan,
    }


def _within_queries(differences: pd.Series, queries: pd.Series) -> float:
    """The variance of values about their query's mean; NaN if no query has two values."""
    centred = differences - differences.groupby(queries).transform("mean")
    freedom = len(differences) - queries.nunique()
    return float((centred**2).sum() / freedom) if freedom else np.nan
