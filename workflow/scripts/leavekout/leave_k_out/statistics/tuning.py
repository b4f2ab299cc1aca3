"""The best setting of each method on the tuning queries."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leavekout.contract.removal import CONTROLS
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.methods.entries import variant_name


def with_choices(
    estimates: pd.DataFrame,
    settings: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    criterion: Measure,
    together: bool,
    measured: pd.DataFrame,
) -> pd.DataFrame:
    """The estimates with the tuned method of each row, its setting, and whether it is chosen.

    The setting with the largest excess over random removal by the criterion, in the mean over all
    K, is chosen for each method; the first of equal ones.

    Args:
        estimates: of `estimates.estimates_table`, on tuning queries.
        settings: by method, the keys that each setting changes.
        together: whether all queries of a setting share one model.
        measured: of `measuring.measure_outcomes`, with the numbers of images that models lack.
    """
    table = estimates.assign(tuned="", setting="", chosen=False)
    table["removed"] = table["method"].map(measured.groupby("method")["removed"].mean())
    if together:
        of_settings = ~table["method"].isin(CONTROLS)
        table.loc[of_settings, "n_models"] = 1
        table.loc[of_settings, "covers"] = "queries"
    excess = rows_of(table, criterion).groupby("method")["excess"].mean()
    excess = criterion.direction * excess
    for method, choices in settings.items():
        names = [variant_name(method, number) for number in range(len(choices))]
        for name, choice in zip(names, choices, strict=True):
            rows = table["method"] == name
            table.loc[rows, "tuned"] = method
            table.loc[rows, "setting"] = json.dumps(choice)
        table.loc[table["method"] == excess.loc[names].idxmax(), "chosen"] = True
    return table
