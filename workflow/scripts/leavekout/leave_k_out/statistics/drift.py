"""How far a join has drifted from the published study: its own noise floor.

Published models were trained on another machine, with other rounding and perhaps other libraries.
Training amplifies rounding, so the source model that is trained again here, from its seed and
without a removal, is slightly different. The difference adds to every effect that is measured here,
and to no published one.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from leavekout.contract.removal import CONTROLS, RANDOM
from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.text import records

# Shares of the methods' median effect: below the first, a drift needs no caution; below the second
# it is none.
SMALL, _NOTHING = 0.1, 0.001


def drift_table(tables: Iterable[pd.DataFrame], measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each measure: how much the replica of the source model has drifted.

    Columns: `drift`, the mean over queries of the measure minus its unchanged value; `scatter`, the
    standard deviation over queries; `n_queries`; `effect`, the median over methods of their
    absolute mean excess over random removal; `share`, drift over effect, which is small if the two
    machines are comparable.

    Args:
        tables: of `measuring.measure_outcomes`, of the replica; measurements: of the study.
    """
    replica = pd.concat(tables, ignore_index=True)
    # Without tuning queries, which the replica is measured on, too.
    replica = replica[replica["query"].isin(measurements["query"])]
    rows, effects = [], median_effects(measurements)
    for measure in measures_in(measurements["measure"]):
        values = rows_of(replica, measure)["value"].to_numpy()
        drift = values - measure.unchanged
        effect = effects[measure.name]
        rows.append(
            {
                "measure": measure.name,
                "n_queries": len(values),
                "drift": drift.mean(),
                "scatter": drift.std(ddof=1) if len(drift) > 1 else np.nan,
                "effect": effect,
                "share": abs(drift.mean()) / effect if effect else np.nan,
            }
        )
    return pd.DataFrame(rows)


def median_effects(measurements: pd.DataFrame) -> dict[str, float]:
    """For each measure the median over methods and K of |mean excess over random removal|."""
    effects = {}
    for measure in measures_in(measurements["measure"]):
        rows = rows_of(measurements, measure)
        means = rows.groupby(["method", "k"], as_index=False)["value"].mean()
        control, methods = means["method"] == RANDOM, ~means["method"].isin(CONTROLS)
        both = means[methods].merge(means[control], on="k", suffixes=("", "_random"))
        effects[measure.name] = float((both["value"] - both["value_random"]).abs().median())
    return effects


def sentence(drift: pd.DataFrame) -> str:
    """The drift by every measure, in a sentence."""
    trained = "Trained again here, from its seed and without a removal, the source model"
    over = f"mean over {drift['n_queries'].max()} queries"
    largest = drift[["scatter"]].fillna(0).assign(drift=drift["drift"].abs()).max(axis=1)
    if (largest < _NOTHING * drift["effect"]).all():
        return f"{trained} is unchanged: less than 0.1 % of the methods' median effect, {over}."
    drifts = []
    for row in records(drift):
        measure = measure_of(row["measure"])
        share = row["share"]
        of_effect = "below 0.1 %" if share < _NOTHING else f"{100 * share:.2g} %"
        beside = "" if np.isnan(share) else f" ({of_effect} of the methods' median effect)"
        drifts.append(f"{measure.heading} {row['drift'] * measure.scale:.2g}{beside}")
    return f"{trained} has drifted by {', '.join(drifts)}, {over}."
