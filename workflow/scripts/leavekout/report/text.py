"""Text of tables: rows as plain values, numbers in handy units, rounded to their uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leavekout.measures.registry import measure


def records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows of a table, by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def keyed(table: pd.DataFrame, *keys: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows of a table by the values of the columns `keys`."""
    return {tuple(row[key] for key in keys): row for row in records(table)}


def digits_of(error: float) -> int:
    """Decimals that show two digits of a standard error, five at most."""
    if not np.isfinite(error) or error <= 0:
        return 4
    return min(5, max(0, 1 - int(np.floor(np.log10(error)))))


def rounded(value: float, error: float) -> str:
    """A value with as many decimals as its error deserves; a minus sign, not a hyphen."""
    digits = digits_of(error)
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def interval(value: float, error: float, low: float, high: float) -> str:
    """`value (low to high)`, or the value alone where there is no interval."""
    if np.isnan(value):
        return "–"
    if not (np.isfinite(low) and np.isfinite(high)):
        return rounded(value, error)
    return f"{rounded(value, error)} ({rounded(low, error)} to {rounded(high, error)})"


def estimate(row: Mapping[str, Any], what: str) -> str:
    """`mean` or `excess` of a row of the estimates, with its interval, in its measure's unit."""
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


def p_value(p: float) -> str:
    """A p-value with two digits."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def queries(number: float, most: int = 10_000) -> str:
    """A number of queries; beyond `most` no study will be made."""
    if np.isnan(number):
        return "–"
    return f"> {most:,}" if number > most else f"{number:,.0f}"
