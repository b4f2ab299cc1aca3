"""Which setting of each method does best on the tuning queries."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leavekout.contract.removal import CONTROLS
from leavekout.leave_k_out.measures.registry import measure
from leavekout.methods.entries import variant_name


def with_choices(
    estimates: pd.DataFrame,
    settings: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    criterion: str,
    together: bool,
    measured: pd.DataFrame,
) -> pd.DataFrame:
    """The estimates, with what each row is a setting of, what that changes, and what is chosen.

    Of each method the setting with the largest excess over random removal by the criterion is
    chosen, the mean over all K; of equals the first.

    Args:
        estimates: of `estimates.estimates_table`, on tuning queries.
        settings: by method, the keys that each setting changes.
        criterion: the name of a measure.
        together: whether a setting has one model, which its queries share.
        measured: of `measuring.measure_outcomes`, which says how many images models went without.
    """
    table = estimates.assign(tuned="", setting="", chosen=False)
    table["removed"] = table["method"].map(measured.groupby("method")["removed"].mean())
    if together:
        of_settings = ~table["method"].isin(CONTROLS)
        table.loc[of_settings, "n_models"] = 1
        table.loc[of_settings, "covers"] = "queries"
    of_criterion = table[table["measure"] == criterion]
    excess = measure(criterion).direction * of_criterion.groupby("method")["excess"].mean()
    for method, choices in settings.items():
        names = [variant_name(method, number) for number in range(len(choices))]
        for name, choice in zip(names, choices, strict=True):
            rows = table["method"] == name
            table.loc[rows, "tuned"] = method
            table.loc[rows, "setting"] = json.dumps(choice)
        table.loc[table["method"] == excess.loc[names].idxmax(), "chosen"] = True
    return table
