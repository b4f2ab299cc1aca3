"""The results of a study for the site: each method's rows in words, contributed ones included."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leavekout.base.artifacts import load_csv
from leavekout.contract.removal import CONTROLS
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.headline import has_topics, main_k, methods_ks, primary
from leavekout.leave_k_out.report.text import equivalent, estimate
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.site import Block, StudyResults
from leavekout.report.text import interval, keyed, p_value, records
from leavekout.statistics.significance import LEVEL

MAIN = "estimates.csv"
SECONDS, AGAIN = "seconds for each query", "selected again"
NOTE = (
    "Excess: the effect of removing the images that a method selects, minus that of removing as "
    "many random ones: mean over queries, with a 95 % interval for that method alone. "
    "\\*: significantly better than random removal (p ≤ 0.05, corrected for all methods of the "
    "study). Random equivalent: how many random images have to be removed for the same effect. "
    "Seconds: CPU- or GPU-seconds for each query, preparation included. Selected again: the share "
    "of its top K that a method would select with other draws of its noise."
)
NOTE_OF_METHOD = (
    "Excess: the effect of removing the images that the method selects, minus that of removing as "
    "many random ones: mean over queries, with a 95 % interval for this method alone. p: of no "
    "excess, corrected for all methods of the study."
)
Row = Mapping[str, Any]


def results_of(tables: Path, contributed: Sequence[pd.DataFrame] = ()) -> StudyResults:
    """Reads a study's tables.

    Args:
        tables: their folder.
        contributed: for each contributed method its rows of the estimates.

    Raises:
        InputError: a table is broken.
    """
    estimates = pd.concat([load_csv(tables / MAIN), *contributed], ignore_index=True)
    costs, repeats, equivalents, lds = (
        load_csv(path) if (path := tables / f"{name}.csv").exists() else None
        for name in ("costs", "repeatability", "equivalents", "lds")
    )
    methods = [name for name in estimates["method"].unique() if name not in CONTROLS]
    once = {name: _cost(_row(costs, name)) | _repeats(_row(repeats, name)) for name in methods}
    k = main_k(estimates)
    main, *others = (
        Block(
            f"Excess over random removal, K = {each:,}",
            _headline(estimates, equivalents, once, each),
            NOTE,
            MAIN,
        )
        for each in sorted(methods_ks(estimates), key=lambda one: (one != k, -one))
    )
    return StudyResults(
        main=main,
        others=[*others, *_controls(estimates), *_lds(lds)],
        of_method={name: _of_method(estimates, name) for name in methods},
        note=NOTE_OF_METHOD,
        repeats=once,
    )


def _row(table: pd.DataFrame | None, method: str) -> Row | None:
    """The first row of a method in a table."""
    rows = [] if table is None else records(table[table["method"] == method])
    return rows[0] if rows else None


def _cost(row: Row | None) -> dict[str, str]:
    row = row or {}
    return {
        SECONDS: _two_digits(row.get("seconds_per_query_here")),
        "without preparation": _two_digits(row.get("seconds_per_query")),
    }


def _repeats(row: Row | None) -> dict[str, str]:
    row = row or {}
    overlap, correlation = row.get("overlap"), row.get("rank_correlation")
    return {
        AGAIN: "–" if pd.isna(overlap) else f"{100 * overlap:.0f} %",
        "rank correlation of scores": "–" if pd.isna(correlation) else f"{correlation:.2f}",
    }


def _two_digits(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _headline(
    estimates: pd.DataFrame,
    equivalents: pd.DataFrame | None,
    once: Mapping[str, Mapping[str, str]],
    k: int,
) -> pd.DataFrame:
    """One row of text for each method of one K, the largest excess by the first measure first."""
    measures, first = measures_in(estimates["measure"]), primary(estimates)
    random = {} if equivalents is None else keyed(equivalents, "measure", "k", "method")
    by_cell = keyed(estimates, "measure", "k", "method")
    rows = rows_of(estimates, first, k)
    rows = rows[~rows["method"].isin(CONTROLS)]
    order = rows.sort_values("excess", ascending=first.direction < 0, kind="stable")["method"]
    table = []
    for method in order:
        row = {"method": method}
        for measure in measures:
            cell = by_cell.get((measure.name, k, method))
            row[f"excess {measure.heading}"] = "–" if cell is None else _starred(cell, measure)
        if has_topics(estimates):
            cell = by_cell[first.name, k, method]
            row[f"over topic removal, {first.heading}"] = _starred(cell, first, "topic_")
        found = random.get((first.name, k, method))
        row["random equivalent"] = "–" if found is None else equivalent(found)
        row[SECONDS] = once[method][SECONDS]
        row[AGAIN] = once[method][AGAIN]
        table.append(row)
    return pd.DataFrame(table)


def _starred(cell: Row, measure: Measure, control: str = "") -> str:
    if f"{control}excess" not in cell:
        return "–"
    return estimate(cell, f"{control}excess") + (" \\*" if _beats(cell, measure, control) else "")


def _beats(cell: Row, measure: Measure, control: str = "") -> bool:
    """Whether a row is significantly better than random removal, or (`topic_`) topic removal."""
    better = measure.direction * cell[f"{control}excess"] > 0
    return bool(better and cell[f"{control}p_corrected"] <= LEVEL)


def _of_method(estimates: pd.DataFrame, method: str) -> pd.DataFrame:
    """A method's rows of all K and measures, as text."""
    rows = records(estimates[estimates["method"] == method].sort_values("k", kind="stable"))
    topics = has_topics(estimates) and "topic_excess" in estimates
    table = []
    for cell in rows:
        (measure,) = measures_in([cell["measure"]])
        row = {
            "K": f"{cell['k']:,}",
            "measure": measure.heading,
            "excess over random removal": estimate(cell, "excess"),
            "beats random removal": _verdict(cell, measure),
        }
        if topics:
            row["excess over topic removal"] = estimate(cell, "topic_excess")
            row["beats topic removal"] = _verdict(cell, measure, "topic_")
        table.append(row)
    return pd.DataFrame(table)


def _verdict(cell: Row, measure: Measure, control: str = "") -> str:
    p = cell[f"{control}p_corrected"]
    if pd.isna(p):
        return "–"
    beats = "**yes**" if _beats(cell, measure, control) else "not shown"
    return f"{beats} (p {'' if p < 0.0001 else '= '}{p_value(p)})"


def _controls(estimates: pd.DataFrame) -> list[Block]:
    """What the controls alone do to the measures."""
    by_cell = keyed(estimates, "measure", "k", "method")
    measures = measures_in(estimates["measure"])
    rows = [
        {
            "removed": {"random": "random images", "no_removal": "nothing; another seed"}.get(
                method, method
            ),
            "K": f"{k:,}",
            **{
                measure.heading: estimate(by_cell[measure.name, k, method], "mean")
                for measure in measures
            },
        }
        for method in CONTROLS
        for k in sorted(estimates["k"].unique())
        if all((measure.name, k, method) in by_cell for measure in measures)
    ]
    note = "Means over queries and models, with 95 % intervals over both."
    return [Block("Controls", pd.DataFrame(rows), note, MAIN)] if rows else []


def _lds(lds: pd.DataFrame | None) -> list[Block]:
    """Linear datamodeling scores, the best first."""
    if lds is None or lds.empty:
        return []
    rows = [
        {
            "method": row["method"],
            "images removed": f"{row['k']:,}",
            "models": f"{row['n_models']}",
            "linear datamodeling score": interval(
                row["lds"], (row["high"] - row["low"]) / 4, row["low"], row["high"]
            ),
        }
        for row in records(lds.sort_values(["k", "lds"], ascending=False))
    ]
    note = "Rank correlation of summed scores with the loss of models that lack random images."
    return [Block("Linear datamodeling scores", pd.DataFrame(rows), note, "lds.csv")]
