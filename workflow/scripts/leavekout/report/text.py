"""Text of tables: rows as plain values, and numbers rounded to their uncertainty."""

import textwrap
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd


def records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows of a table, by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def keyed(table: pd.DataFrame, *keys: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows of a table by the values of the columns `keys`."""
    return {tuple(row[key] for key in keys): row for row in records(table)}


def rounded(value: float, error: float) -> str:
    """A value with two digits of its standard error, at most five decimals; a true minus sign."""
    digits = 4
    if np.isfinite(error) and error > 0:
        digits = min(5, max(0, 1 - int(np.floor(np.log10(error)))))
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
    """A number of queries; `> 10,000` if no study can be that large."""
    if np.isnan(number):
        return "–"
    return f"> {most:,}" if number > most else f"{number:,.0f}"


def significant_pairs(pairs: pd.DataFrame) -> str:
    """A sentence: how many pairs of methods are significantly different, and which.

    Args:
        pairs: columns `ahead`, `behind`, `distinguishable`.
    """
    significant = pairs[pairs["distinguishable"].astype(bool)]
    which = "; ".join(
        f"{ahead} is ahead of {', '.join(rows['behind'])}"
        for ahead, rows in significant.groupby("ahead", sort=False)
    )
    return (
        f"{len(significant)} of {len(pairs)} pairs of methods are significantly different"
        f"{': ' + which if which else ''}."
    )


def pairs_text(
    pairs: pd.DataFrame, *, over: str, scale: float = 1.0, unit: str = ""
) -> pd.DataFrame:
    """Pairs of methods as text, in order of their corrected p-values.

    Args:
        pairs: columns `ahead`, `behind`, `difference`, `low`, `high`, `p`, `p_corrected`,
            `distinguishable`; `count`, the queries or models that a pair is compared over;
            `count_ahead`, those in which the first method is ahead; and `queries_needed`, if known.
        over: what is counted: `queries` or `models`.
        scale: factor by which differences are shown; unit: appended to the name of their column.
    """
    table = []
    for row in records(pairs.sort_values(["p_corrected", "p"], kind="stable")):
        low, high = row["low"] * scale, row["high"] * scale
        text = {
            "ahead": row["ahead"],
            "behind": row["behind"],
            f"difference{unit}": interval(row["difference"] * scale, (high - low) / 4, low, high),
            f"{over} ahead": f"{row['count_ahead']} of {row['count']}",
            "p": p_value(row["p"]),
            "corrected p": p_value(row["p_corrected"]),
            "significantly different": "yes" if row["distinguishable"] else "no",
        }
        if "queries_needed" in row:
            text["queries needed"] = queries(row["queries_needed"])
        table.append(text)
    return pd.DataFrame(table)


def shortened(text: str, width: int) -> str:
    """One line of at most `width` letters, as figures can draw it: cut with `…` where it must be.

    Wide letters, as of Chinese, count twice. Letters that cannot be drawn are left out.
    """
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    ends = list(accumulate(map(_columns, line)))
    if not ends or ends[-1] <= width:
        return line
    return line[: bisect_right(ends, width - 1)].rstrip() + "…"


def wrapped(text: str, width: int, lines: int) -> str:
    """At most so many lines of at most `width` letters; as `shortened`."""
    line = shortened(text, width * lines)
    wide = max(map(_columns, line), default=1)
    return textwrap.fill(line, width // wide, max_lines=lines, placeholder=" …")


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def as_text(tables: Iterable[tuple[str, pd.DataFrame, str]]) -> str:
    """Tables for the terminal, each with a title above it and a note, which may be empty, below."""
    blocks = []
    for title, table, note in tables:
        blocks += [f"{title}:", table.to_string(index=False)]
        blocks += [textwrap.fill(note, 100)] if note else []
    return "\n\n".join(blocks) + "\n"
