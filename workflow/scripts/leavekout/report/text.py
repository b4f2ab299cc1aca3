"""Text of tables: rows as plain values, numbers in handy units, rounded to their uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


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


def p_value(p: float) -> str:
    """A p-value with two digits."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def queries(number: float, most: int = 10_000) -> str:
    """A number of queries; beyond `most` no study will be made."""
    if np.isnan(number):
        return "–"
    return f"> {most:,}" if number > most else f"{number:,.0f}"


def significant_pairs(pairs: pd.DataFrame) -> str:
    """How many of these pairs of methods can be told apart, and which.

    Args:
        pairs: columns `ahead`, `behind`, `distinguishable`.
    """
    told = pairs[pairs["distinguishable"].astype(bool)]
    which = "; ".join(
        f"{ahead} is ahead of {', '.join(rows['behind'])}"
        for ahead, rows in told.groupby("ahead", sort=False)
    )
    return (
        f"{len(told)} of {len(pairs)} pairs of methods can be told apart"
        f"{': ' + which if which else ''}."
    )
