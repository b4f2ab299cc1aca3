"""Text of the tables of estimates: means, excesses and random equivalents with intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from leavekout.leave_k_out.measures.registry import measure
from leavekout.report.text import interval


def estimate(row: Mapping[str, Any], what: str) -> str:
    """The `mean` or `excess` of a row of the estimates with its interval, scaled for people."""
    scale = measure(row["measure"]).scale
    names = (what, f"{what}_error", f"{what}_low", f"{what}_high")
    return interval(*(row[name] * scale for name in names))


def equivalent(row: Mapping[str, Any]) -> str:
    """A random equivalent with its interval: `310 (190 to 520)`, `> 1,600 (> 900)`."""

    def number(name: str) -> str:
        beyond = "> " if row[f"{name}_censored"] else ""
        value = row[name]
        if value < row["smallest_k"]:
            return f"< {row['smallest_k']:,}"
        digits = 2 - int(np.floor(np.log10(value))) if value >= 1 else 0
        return f"{beyond}{round(value, min(0, digits)):,.0f}"

    if row["equivalent_censored"]:
        known = row["low"] >= row["smallest_k"] and not row["low_censored"]
        low = f" (at least {number('low')})" if known else ""
        return number("equivalent") + low
    if np.isnan(row["low"]):
        return number("equivalent")
    return f"{number('equivalent')} ({number('low')} to {number('high')})"
