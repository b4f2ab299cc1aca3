"""The headline table: what a reader looks for first, rounded to its uncertainty."""

from collections.abc import Sequence

import pandas as pd

from leavekout.report.formats import LABEL, SCALE, equivalent, estimate, rounded
from leavekout.report.tables import keyed
from leavekout.statistics.comparisons import indistinguishable
from leavekout.statistics.measurements import CONTROL, MEASURES, NO_REMOVAL
from leavekout.statistics.significance import LEVEL

EXCESS = {
    "delta_loss": "excess ΔL × 10³", "mse": "excess MSE × 10³", "clip": "excess CLIP similarity",
}  # fmt: skip
NOTE = (
    "Excess: difference to random removal of as many images, mean over queries and its 95 % "
    "interval; * not by chance (p ≤ 0.05 after Holm's correction over methods, so that an interval "
    "without 0 may lack it). Random equivalent: so "
    "many random images have to be removed for the same ΔL. Group: methods of one K that share a "
    "letter cannot be told apart by ΔL (sign-flip tests, Holm's correction over pairs)."
)


def ranked(estimates: pd.DataFrame, k: int) -> list[str]:
    """The methods of one K, the largest mean ΔL first."""
    rows = estimates[(estimates["measure"] == "delta_loss") & (estimates["k"] == k)]
    rows = rows[~rows["method"].isin([CONTROL, NO_REMOVAL])]
    return rows.sort_values("mean", ascending=False)["method"].tolist()


def methods_ks(estimates: pd.DataFrame) -> list[int]:
    """The values of K that methods have, ascending."""
    methods = ~estimates["method"].isin([CONTROL, NO_REMOVAL])
    return sorted(estimates.loc[methods, "k"].unique().tolist())


def headline(
    estimates: pd.DataFrame, comparisons: pd.DataFrame, equivalents: pd.DataFrame
) -> pd.DataFrame:
    """One row of text for each K and method, best ΔL first, the largest K on top."""
    at = keyed(estimates, "measure", "k", "method")
    like = keyed(equivalents, "measure", "k", "method")
    rows = []
    for k in reversed(methods_ks(estimates)):
        order = ranked(estimates, k)
        letters = group_letters(comparisons, "delta_loss", k, order)
        for method in order:
            loss = at["delta_loss", k, method]
            scale = SCALE["delta_loss"]
            row = {"removed by": method, "K": f"{k:,}"}
            row[LABEL["delta_loss"]] = rounded(loss["mean"] * scale, loss["mean_error"] * scale)
            for measure in MEASURES:
                one = at[measure, k, method]
                star = " *" if one["p_holm"] <= LEVEL else ""
                row[EXCESS[measure]] = estimate(one, "excess") + star
            found = like.get(("delta_loss", k, method))
            row["random equivalent"] = "–" if found is None else equivalent(found)
            row["group"] = letters[method]
            rows.append(row)
    return pd.DataFrame(rows)


def controls(estimates: pd.DataFrame) -> pd.DataFrame:
    """One row of text for random removal at each K of the methods, and for other seeds."""
    at = keyed(estimates, "measure", "k", "method")
    rows = []
    for k, method in [*((k, CONTROL) for k in methods_ks(estimates)), (0, NO_REMOVAL)]:
        if ("delta_loss", k, method) in at:
            name = "nothing, other seeds" if method == NO_REMOVAL else "random"
            models = at["delta_loss", k, method]["n_models"]
            means = {LABEL[m]: estimate(at[m, k, method], "mean") for m in MEASURES}
            rows.append({"removed": name, "K": f"{k:,}", "models": f"{models}", **means})
    return pd.DataFrame(rows)


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


def as_text(table: pd.DataFrame) -> str:
    """A table of text for the terminal."""
    return table.to_string(index=False)


def as_latex(table: pd.DataFrame) -> str:
    """A table of text for a paper, for use with the package booktabs."""
    signs = {"×": r"$\times$", "³": "$^3$", "Δ": r"$\Delta$", "−": "$-$", "> ": "$>$", "_": r"\_",
             "–": "--"}  # fmt: skip

    def escaped(text: str) -> str:
        for sign, latex in signs.items():
            text = text.replace(sign, latex)
        return text

    shown = table.map(escaped)
    shown.columns = [escaped(name) for name in table.columns]
    comment = "".join(f"% {line}\n" for line in NOTE.split(". "))
    return comment + shown.to_latex(index=False, escape=False)
