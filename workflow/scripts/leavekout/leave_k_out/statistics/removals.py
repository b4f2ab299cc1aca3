"""Further removals: the effect of models of other policies on their queries, and on others."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.contract.removal import OTHER, RANDOM, TARGET
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.estimates import mean_over_queries
from leavekout.leave_k_out.statistics.lds import agreement
from leavekout.leave_k_out.statistics.measurements import rows_of

_ROLES = ((TARGET, "targets"), (OTHER, "others"))


def removals_table(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One row for each policy, method, K and measure: the means over targets and over others.

    Columns: `targets` and `others` with `..._low`, `..._high` (95 %, over queries alone, because
    too few models show no noise of models); `..._auc`, the area under the ROC curve of the method's
    values against those of the random removal (MUCS's protocol): the chance that a query changes
    more without the method's images than another without random ones; `n_targets`, `n_others`,
    `models`; `removed`, the mean number of images that a model lacks.

    Args:
        tables: of `measuring.measure_outcomes`.
    """
    table = pd.concat(tables, ignore_index=True)
    rows = []
    for measure in measures_in(table["measure"]):
        rows_of_measure = rows_of(table, measure)
        groups = dict(iter(rows_of_measure.groupby(["policy", "method", "k"], sort=False)))
        for (policy, method, k), group in groups.items():
            models = group[["number", "targets", "removed"]].drop_duplicates()
            row = {
                "policy": policy,
                "measure": measure.name,
                "method": method,
                "k": k,
                "models": len(models),
                "removed": models["removed"].mean(),
            }
            for role, name in _ROLES:
                values = _by_query(group, role)
                if len(values):
                    mean = mean_over_queries(values).within(measure.range)
                    ends = {"": mean.value, "_error": mean.error}
                    ends |= {"_low": mean.low, "_high": mean.high}
                    row[f"n_{name}"] = len(values)
                    row |= {f"{name}{end}": float(value) for end, value in ends.items()}
                control = groups.get((policy, RANDOM, k))
                if len(values) and control is not None and method != RANDOM:
                    row[f"{name}_auc"] = auc(values, _by_query(control, role), measure)
            rows.append(row)
    return pd.DataFrame(rows)


def _by_query(group: pd.DataFrame, role: str) -> np.ndarray:
    """The mean of each query of a role: [Q]. A query may be a control of several unions."""
    return group[group["role"] == role].groupby("query")["value"].mean().to_numpy(float)


def auc(values: np.ndarray, control: np.ndarray, measure: Measure) -> float:
    """P(a value shows more change than a control's), ties counting half."""
    signed = measure.direction * values, measure.direction * control
    return float(stats.mannwhitneyu(*signed).statistic) / (len(values) * len(control))


def order_beside_single(
    removals: pd.DataFrame, estimates: pd.DataFrame, measure: Measure
) -> tuple[float, float]:
    """Rank correlation, over methods, of unions' AUC and single removals' excess, and its p-value.

    At the largest K of each. NaN with fewer than four methods.
    """
    if "targets_auc" not in removals:
        return np.nan, np.nan
    unions = rows_of(removals, measure).dropna(subset="targets_auc").sort_values("k")
    single = rows_of(estimates, measure).dropna(subset="excess").sort_values("k")
    by_union = unions.groupby("method")["targets_auc"].last()
    by_single = measure.direction * single.groupby("method")["excess"].last()
    unions_auc, excesses = (
        {str(m): float(v) for m, v in series.items()} for series in (by_union, by_single)
    )
    found = agreement(unions_auc, excesses)
    return found.rho, found.p
