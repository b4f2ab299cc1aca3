"""Unions: one model without the top K of several queries, on those queries and on others."""

from collections.abc import Iterable

import pandas as pd

from leavekout.measures.registry import measures_in
from leavekout.removal import OTHER, TARGET
from leavekout.statistics.estimates import mean_of_cells


def unions_table(tables: Iterable[pd.DataFrame], *, resamples: int) -> pd.DataFrame:
    """One row for each measure, method and K: the mean over targets, and over other queries.

    Columns: `targets` and `others` with `..._low`, `..._high` (95 %, over queries alone: the
    queries of a union share one model, whose noise one model does not show); `n_targets`,
    `n_others`, `models`; `removed`, the mean number of images that a union held.

    Args:
        tables: of `measuring.measure_outcomes`.
    """
    table = pd.concat(tables, ignore_index=True)
    rows = []
    for measure in measures_in(table["measure"]):
        of_measure = table[table["measure"] == measure.name]
        for (method, k), group in of_measure.groupby(["method", "k"], sort=False):
            row = {
                "measure": measure.name, "method": method, "k": k,
                "models": group["number"].nunique(),
                "removed": group.groupby("number")["removed"].first().mean(),
            }  # fmt: skip
            for role, name in ((TARGET, "targets"), (OTHER, "others")):
                values = group.loc[group["role"] == role, "value"].to_numpy(float)
                found = mean_of_cells(values, resamples)
                row |= {
                    f"n_{name}": len(values), name: float(found.value),
                    f"{name}_error": float(found.error),
                    f"{name}_low": float(found.low), f"{name}_high": float(found.high),
                }  # fmt: skip
            rows.append(row)
    return pd.DataFrame(rows)
