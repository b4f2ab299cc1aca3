"""Numbers as people read them: in handy units, rounded to their uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np

# By how much a measure is multiplied for people, and what it is then called.
SCALE = {"delta_loss": 1000, "mse": 1000, "clip": 1}
LABEL = {"delta_loss": "ΔL × 10³", "mse": "MSE × 10³", "clip": "CLIP similarity"}
NAME = {measure: label.removesuffix(" × 10³") for measure, label in LABEL.items()}


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
    scale = SCALE[row["measure"]]
    names = (what, f"{what}_error", f"{what}_low", f"{what}_high")
    return interval(*(row[name] * scale for name in names))


def equivalent(row: Mapping[str, Any]) -> str:
    """A random equivalent with its interval: `310 (190 to 520)`, `> 1,600 (> 900)`."""

    def number(name: str) -> str:
        beyond = "> " if row[f"{name}_censored"] else ""
        value = row[name]
        if value < row["sweep_start"]:
            return f"< {row['sweep_start']:,}"
        digits = 2 - int(np.floor(np.log10(value))) if value >= 1 else 0
        return f"{beyond}{round(value, min(0, digits)):,.0f}"

    if row["equivalent_censored"]:
        low = "" if np.isnan(row["low"]) or row["low_censored"] else f" (at least {number('low')})"
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
