"""The headline table: what a reader looks for first, rounded to its uncertainty."""

import textwrap
from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.text import equivalent, estimate
from leavekout.leave_k_out.statistics.comparisons import indistinguishable
from leavekout.leave_k_out.statistics.measurements import CONTROL, NO_REMOVAL
from leavekout.report.text import keyed, rounded
from leavekout.statistics.significance import LEVEL

JOINED = " (joined)"
_ABREAST = 3  # measures beside each other in a table


def note(estimates: pd.DataFrame, joined: Collection[str] = ()) -> str:
    """What the columns of the headline table mean."""
    first = primary(estimates).label
    of_joined = "" if not joined else f" {JOINED.strip()}: measured here, all others as published."
    return (
        "Excess: difference to random removal of as many images, mean over queries and its 95 % "
        "interval; * not by chance (p ≤ 0.05, corrected for all methods, so that an "
        "interval without 0 may lack it). Random equivalent: so many random images have to be "
        f"removed for the same {first}. Group: methods of one K that share a letter cannot be told "
        f"apart by {first} (paired tests, corrected for all pairs).{of_joined}"
    )


def primary(estimates: pd.DataFrame) -> Measure:
    """The measure by which methods are ranked: the first of the configuration."""
    return measures_in(estimates["measure"])[0]


def ranked(estimates: pd.DataFrame, k: int) -> list[str]:
    """The methods of one K, the best mean of the primary measure first."""
    measure = primary(estimates)
    rows = estimates[(estimates["measure"] == measure.name) & (estimates["k"] == k)]
    rows = rows[~rows["method"].isin([CONTROL, NO_REMOVAL])]
    ascending = measure.direction < 0
    return rows.sort_values("mean", ascending=ascending)["method"].tolist()


def methods_ks(estimates: pd.DataFrame) -> list[int]:
    """The values of K that methods have, ascending."""
    methods = ~estimates["method"].isin([CONTROL, NO_REMOVAL])
    return sorted(estimates.loc[methods, "k"].unique().tolist())


def main_k(estimates: pd.DataFrame) -> int:
    """The K by which methods are ranked: the largest of those that most methods have."""
    methods = estimates[~estimates["method"].isin([CONTROL, NO_REMOVAL])]
    counts = methods.groupby("k")["method"].nunique()
    return int(counts[counts == counts.max()].index.max())


def headline(
    estimates: pd.DataFrame,
    comparisons: pd.DataFrame,
    equivalents: pd.DataFrame,
    joined: Collection[str] = (),
) -> list[pd.DataFrame]:
    """One row of text for each K and method, best ΔL first, the largest K on top.

    Those of `joined` methods, which a published study was joined with, are marked.
    """
    at = keyed(estimates, "measure", "k", "method")
    like = keyed(equivalents, "measure", "k", "method")
    first = primary(estimates)
    rows = []
    for k in reversed(methods_ks(estimates)):
        order = ranked(estimates, k)
        letters = group_letters(comparisons, first.name, k, order)
        for method in order:
            mean, scale = at[first.name, k, method], first.scale
            name = method + JOINED if method in joined else method
            row = {"removed by": name, "K": f"{k:,}"}
            row[first.heading] = rounded(mean["mean"] * scale, mean["mean_error"] * scale)
            for measure in measures_in(estimates["measure"]):
                one = at[measure.name, k, method]
                star = " *" if one["p_corrected"] <= LEVEL else ""
                row[f"excess {measure.heading}"] = estimate(one, "excess") + star
            found = like.get((first.name, k, method))
            row["random equivalent"] = "–" if found is None else equivalent(found)
            row["group"] = letters[method]
            rows.append(row)
    measures = measures_in(estimates["measure"])
    return narrowed(pd.DataFrame(rows), [f"excess {measure.heading}" for measure in measures])


def controls(estimates: pd.DataFrame) -> list[pd.DataFrame]:
    """One row of text for random removal at each K of the methods, and for other seeds."""
    at = keyed(estimates, "measure", "k", "method")
    first, measures = primary(estimates), measures_in(estimates["measure"])
    rows = []
    for k, method in [*((k, CONTROL) for k in methods_ks(estimates)), (0, NO_REMOVAL)]:
        if (first.name, k, method) in at:
            name = "nothing, other seeds" if method == NO_REMOVAL else "random"
            models = at[first.name, k, method]["n_models"]
            means = {m.heading: estimate(at[m.name, k, method], "mean") for m in measures}
            rows.append({"removed": name, "K": f"{k:,}", "models": f"{models}", **means})
    return narrowed(pd.DataFrame(rows), [measure.heading for measure in measures])


def narrowed(table: pd.DataFrame, wide: Sequence[str]) -> list[pd.DataFrame]:
    """A table in parts that fit a page: three of the `wide` columns in each.

    The first part has all other columns, too; the others repeat the first two, which name the rows.
    """
    left_out = set(wide[_ABREAST:]) & set(table)
    parts = [table[[column for column in table if column not in left_out]]]
    for start in range(_ABREAST, len(wide), _ABREAST):
        names = [*table.columns[:2], *wide[start : start + _ABREAST]]
        parts.append(table[[name for name in names if name in table]])
    return parts


def group_letters(
    comparisons: pd.DataFrame, measure: str, k: int, order: Sequence[str]
) -> dict[str, str]:
    """For each method the letters of the groups in which no two can be told apart."""
    rows = comparisons[(comparisons["measure"] == measure) & (comparisons["k"] == k)]
    groups = indistinguishable(rows, list(order))
    return {
        method: "".join(_letter(i) for i, group in enumerate(groups) if method in group)
        for method in order
    }


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number + 1})"


def as_text(tables: Iterable[tuple[str, pd.DataFrame, str]]) -> str:
    """Tables of text for the terminal: of each its title, the table, and a note or nothing."""
    parts = []
    for title, table, note in tables:
        parts += [f"{title}:", table.to_string(index=False)]
        parts += [textwrap.fill(note, 100)] if note else []
    return "\n\n".join(parts) + "\n"


def as_latex(tables: Iterable[pd.DataFrame], note: str) -> str:
    """Tables of text for a paper, for use with the package booktabs."""
    signs = {
        "×": r"$\times$",
        "³": "$^3$",
        "²": "$^2$",
        "Δ": r"$\Delta$",
        "−": "$-$",
        "> ": "$>$",
        "< ": "$<$",
        "_": r"\_",
        "–": "--",
    }

    def escaped(text: str) -> str:
        for sign, latex in signs.items():
            text = text.replace(sign, latex)
        return text

    parts = ["".join(f"% {line}\n" for line in note.split(". "))]
    for table in tables:
        shown = table.map(escaped)
        shown.columns = [escaped(str(name)) for name in table.columns]
        parts.append(shown.to_latex(index=False, escape=False))
    return "".join(parts)
