"""How far a study that joins another has drifted from it: the join's own noise floor.

Published models were trained on another machine, with other rounding and perhaps other libraries.
Training amplifies rounding, so a model that is trained here without any removal, from the source's
seed, is not quite the source model. What it differs by is added to every effect that is measured
here, and to none that was published.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.measurements import CONTROL

# Of the median effect of methods; a larger drift is worth a caution.
SMALL = 0.1
_NOTHING = 0.001  # of it


def drift_table(tables: Iterable[pd.DataFrame], measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each measure: how much the replica of the source model has drifted.

    Columns: `drift`, its mean over queries, signed as the measure, less the value where nothing
    changed; `scatter`, the standard deviation over queries; `n_queries`; `effect`, the median over
    methods of the size of their mean excess over random removal; `share`, drift over effect, which
    is small where the two machines may be compared.

    Args:
        tables: of `measuring.measure_outcomes`, of the replica; measurements: of the study.
    """
    replica = pd.concat(tables, ignore_index=True)
    # Tuning queries are measured, too, where there are any; those of the study count.
    replica = replica[replica["query"].isin(measurements["query"])]
    rows = []
    for measure in measures_in(measurements["measure"]):
        values = replica.loc[replica["measure"] == measure.name, "value"].to_numpy()
        drift = values - measure.unchanged
        effect = _median_effect(measurements[measurements["measure"] == measure.name])
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


def _median_effect(rows: pd.DataFrame) -> float:
    """The median over methods and K of |mean excess over random removal of as many images|."""
    means = rows.groupby(["method", "k"], as_index=False)["value"].mean()
    control = means["method"] == CONTROL
    both = means[~control].merge(means[control], on="k", suffixes=("", "_random"))
    return float((both["value"] - both["value_random"]).abs().median())


def sentence(drift: pd.DataFrame) -> str:
    """What the drift is, by every measure, in a sentence."""
    trained = "Trained again here from the source's seed, with nothing removed, the source model"
    over = f"mean over {drift['n_queries'].max()} queries"
    largest = drift[["scatter"]].fillna(0).assign(drift=drift["drift"].abs()).max(axis=1)
    if (largest < _NOTHING * drift["effect"]).all():
        return f"{trained} is as it was: less than 0.1 % of the methods' median effect, {over}."
    said = []
    for row in drift.to_dict("records"):
        measure = measure_of(row["measure"])
        share = row["share"]
        of_effect = "below 0.1 %" if share < _NOTHING else f"{100 * share:.2g} %"
        beside = "" if np.isnan(share) else f" ({of_effect} of the methods' median effect)"
        said.append(f"{measure.heading} {row['drift'] * measure.scale:.2g}{beside}")
    return f"{trained} has drifted by {', '.join(said)}, {over}."
