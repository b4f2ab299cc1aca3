"""Further removals: what models of other policies do to their queries, and to others."""

from collections.abc import Iterable

import pandas as pd

from leavekout.measures.registry import measures_in
from leavekout.removal import OTHER, TARGET
from leavekout.statistics.estimates import mean_over_queries


def removals_table(tables: Iterable[pd.DataFrame], *, resamples: int) -> pd.DataFrame:
    """One row for each policy, method, K and measure: the means over targets and over others.

    Columns: `targets` and `others` with `..._low`, `..._high` (95 %, over queries alone: the
    queries share few models, whose noise they do not show); `n_targets`, `n_others`, `models`;
    `removed`, the mean number of images that a model went without.

    Args:
        tables: of `measuring.measure_outcomes`.
    """
    table = pd.concat(tables, ignore_index=True)
    rows = []
    for measure in measures_in(table["measure"]):
        of_measure = table[table["measure"] == measure.name]
        for (policy, method, k), group in of_measure.groupby(["policy", "method", "k"], sort=False):
            models = group[["number", "targets", "removed"]].drop_duplicates()
            row = {
                "policy": policy,
                "measure": measure.name,
                "method": method,
                "k": k,
                "models": len(models),
                "removed": models["removed"].mean(),
            }
            for role, name in ((TARGET, "targets"), (OTHER, "others")):
                # Some queries are controls of several unions.
                of_role = group[group["role"] == role].groupby("query")["value"]
                values = of_role.mean().to_numpy(float)
                if not len(values):
                    continue
                found = mean_over_queries(values, resamples)
                row |= {
                    f"n_{name}": len(values),
                    name: float(found.value),
                    f"{name}_error": float(found.error),
                    f"{name}_low": float(found.low),
                    f"{name}_high": float(found.high),
                }
            rows.append(row)
    return pd.DataFrame(rows)
