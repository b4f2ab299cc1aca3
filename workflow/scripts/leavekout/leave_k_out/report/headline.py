"""The headline table: each method's result, rounded to its uncertainty."""

from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from leavekout.contract.removal import CONTROLS, NO_REMOVAL, RANDOM, TOPIC
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.text import equivalent, estimate
from leavekout.leave_k_out.statistics.comparisons import indistinguishable
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.text import keyed, rounded
from leavekout.statistics.significance import LEVEL

JOINED = " (joined)"
_ABREAST = 3  # measures beside each other in a table
_LATEX = {
    **{"×": r"$\times$", "³": "$^3$", "²": "$^2$", "Δ": r"$\Delta$", "−": "$-$"},
    **{"> ": "$>$", "< ": "$<$", "_": r"\_", "–": "--"},
}


def note(estimates: pd.DataFrame, joined: Collection[str] = ()) -> str:
    """What the columns of the headline table mean."""
    label = primary(estimates).label
    return (
        f"{excess_note(estimates)}, by {label}. Group: methods of one K that share a letter are "
        f"not significantly different by {label} (paired tests, corrected for all pairs)."
        f"{joined_note(joined)}"
    )


def excess_note(estimates: pd.DataFrame) -> str:
    """What excess and random equivalent mean; without a full stop."""
    of_topic = (
        "Over topic: the same for the removal of as many images that are like the query by their "
        "captions. "
        if has_topics(estimates)
        else ""
    )
    return (
        "Excess: difference to random removal of as many images, mean over queries with its 95 % "
        "interval. *: significantly different from random removal (p ≤ 0.05, corrected for all "
        "methods; the intervals are not corrected, so one may exclude 0 without a star). "
        f"{of_topic}Random equivalent: how many random images have to be removed for the same "
        "effect"
    )


def joined_note(joined: Collection[str]) -> str:
    """What the mark of a joined method means, if there is one."""
    return f" {JOINED.strip()}: measured here; all others are as published." if joined else ""


def primary(estimates: pd.DataFrame) -> Measure:
    """The measure by which methods are ranked: the first of the configuration."""
    return measures_in(estimates["measure"])[0]


def has_topics(estimates: pd.DataFrame) -> bool:
    """Whether topic removal is among the controls."""
    return TOPIC in set(estimates["method"])


def ranked(estimates: pd.DataFrame, k: int) -> list[str]:
    """The methods of one K, the best mean of the primary measure first."""
    measure = primary(estimates)
    rows = _of_methods(rows_of(estimates, measure, k))
    return rows.sort_values("mean", ascending=measure.direction < 0)["method"].tolist()


def methods_ks(estimates: pd.DataFrame) -> list[int]:
    """The values of K that methods have, ascending."""
    return sorted(_of_methods(estimates)["k"].unique().tolist())


def main_k(estimates: pd.DataFrame) -> int:
    """The K by which methods are ranked: the largest of those that most methods have."""
    counts = _of_methods(estimates).groupby("k")["method"].nunique()
    return int(counts[counts == counts.max()].index.max())


def _of_methods(estimates: pd.DataFrame) -> pd.DataFrame:
    return estimates[~estimates["method"].isin(CONTROLS)]


def headline(
    estimates: pd.DataFrame,
    comparisons: pd.DataFrame,
    equivalents: pd.DataFrame,
    joined: Collection[str] = (),
) -> list[pd.DataFrame]:
    """One row of text for each K and method: the largest K first, and its best method first.

    Methods of `joined`, which were added to a published study, are marked.
    """
    by_cell = keyed(estimates, "measure", "k", "method")
    equivalent_of = keyed(equivalents, "measure", "k", "method")
    measures = measures_in(estimates["measure"])
    first, rows = measures[0], []
    of_topics = measures if has_topics(estimates) else []
    for k in reversed(methods_ks(estimates)):
        order = ranked(estimates, k)
        letters = group_letters(comparisons, first, k, order)
        for method in order:
            mean = by_cell[first.name, k, method]
            row = {"removed by": method + JOINED if method in joined else method, "K": f"{k:,}"}
            row[first.heading] = rounded(
                mean["mean"] * first.scale, mean["mean_error"] * first.scale
            )
            for measure in measures:
                cell = by_cell[measure.name, k, method]
                star = " *" if cell["p_corrected"] <= LEVEL else ""
                row[f"excess {measure.heading}"] = estimate(cell, "excess") + star
            for measure in of_topics:
                cell = by_cell[measure.name, k, method]
                star = " *" if cell["topic_p_corrected"] <= LEVEL else ""
                row[f"over topic {measure.heading}"] = estimate(cell, "topic_excess") + star
            random = equivalent_of.get((first.name, k, method))
            row["random equivalent"] = "–" if random is None else equivalent(random)
            row["group"] = letters[method]
            rows.append(row)
    # The first table always has the excess over topic removal by the first measure.
    wide = [f"excess {measure.heading}" for measure in measures]
    wide += [f"over topic {measure.heading}" for measure in of_topics[1:]]
    return narrowed(pd.DataFrame(rows), wide)


def controls(estimates: pd.DataFrame) -> list[pd.DataFrame]:
    """One row of text for random and topic removal at each K of the methods, and other seeds."""
    by_cell = keyed(estimates, "measure", "k", "method")
    measures, rows = measures_in(estimates["measure"]), []
    removed = [(k, control) for k in methods_ks(estimates) for control in (RANDOM, TOPIC)]
    for k, method in [*removed, (0, NO_REMOVAL)]:
        if (measures[0].name, k, method) in by_cell:
            name = "nothing, other seeds" if method == NO_REMOVAL else method
            models = by_cell[measures[0].name, k, method]["n_models"]
            means = {m.heading: estimate(by_cell[m.name, k, method], "mean") for m in measures}
            rows.append({"removed": name, "K": f"{k:,}", "models": f"{models}", **means})
    return narrowed(pd.DataFrame(rows), [measure.heading for measure in measures])


def narrowed(table: pd.DataFrame, wide: Sequence[str]) -> list[pd.DataFrame]:
    """A table cut so that each fits a page: with three of the `wide` columns at most.

    The first has all other columns, too; the others repeat the first two, which name the rows.
    """
    left_out = set(wide[_ABREAST:]) & set(table)
    tables = [table[[column for column in table if column not in left_out]]]
    for start in range(_ABREAST, len(wide), _ABREAST):
        names = [*table.columns[:2], *wide[start : start + _ABREAST]]
        tables.append(table[[name for name in names if name in table]])
    return tables


def group_letters(
    comparisons: pd.DataFrame, measure: Measure, k: int, order: Sequence[str]
) -> dict[str, str]:
    """For each method the letters of its groups, in which no two are significantly different."""
    groups = indistinguishable(rows_of(comparisons, measure, k), list(order))
    return {
        method: "".join(_letter(i) for i, group in enumerate(groups) if method in group)
        for method in order
    }


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number + 1})"


def as_latex(tables: Iterable[pd.DataFrame], note: str) -> str:
    """Tables of text for a paper that uses the package booktabs."""

    def escaped(text: object) -> str:
        plain = str(text)
        for sign, latex in _LATEX.items():
            plain = plain.replace(sign, latex)
        return plain

    blocks = ["".join(f"% {line}\n" for line in note.split(". "))]
    for table in tables:
        shown = table.map(escaped).rename(columns=escaped)
        blocks.append(shown.to_latex(index=False, escape=False))
    return "".join(blocks)
