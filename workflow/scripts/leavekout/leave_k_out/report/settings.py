"""Our settings beside the paper's, and our numbers beside the published ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.text import estimate
from leavekout.report.text import keyed, records


def settings_table(
    config: Mapping[str, Any], paper: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each setting of the paper: key, value here and there, its place, and whether they agree."""
    return [
        {
            "key": setting["key"],
            "here": _text(here := _lookup(config, setting["key"])),
            "paper": _text(setting["paper"]),
            "where": setting.get("where", ""),
            "same": here == setting["paper"],
        }
        for setting in paper
    ]


def _lookup(config: Mapping[str, Any], key: str) -> Any:
    """The value at a path such as training.epochs, or None if the experiment has no such key."""
    value: Any = config
    for step in key.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def published_table(estimates: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """For each published method and K: the published mean ± standard error, and ours with interval.

    Published models are not paired with the source model, so any retraining raises their means.
    Only distances to the published random row compare methods.
    """
    ours = keyed(estimates, "measure", "method", "k")
    rows = []
    for line in records(published.fillna({"method": ""})):
        k = line["k"]
        row = {"method": line["method"] or line["published_as"], "K": f"{k:,}"}
        for measure in measures_in(estimates["measure"]):
            columns = (measure.name, f"{measure.name}_error")
            if measure.name in line:  # the papers measured it, too
                value, error = (line[name] * measure.scale for name in columns)
                row[f"published {measure.heading}"] = _published(value, error)
            cell = ours.get((measure.name, line["method"], k))
            row[f"ours {measure.heading}"] = "–" if cell is None else estimate(cell, "mean")
        rows.append(row | {"source": line["source"]})
    return pd.DataFrame(rows)


def _published(value: float, error: float) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:g}" if pd.isna(error) else f"{value:g} ± {error:.2g}"
