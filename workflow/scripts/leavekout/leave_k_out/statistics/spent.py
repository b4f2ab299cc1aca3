"""What a method's scores cost: seconds of the jobs that made them, from their benchmark files."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = ("method", "n_queries", "seconds_per_query", "seconds_once", "seconds_per_query_here")


def seconds_of(benchmark: Path) -> float | None:
    """The time in a benchmark file of Snakemake's; None if there is none, or half of one."""
    try:
        with open(benchmark, newline="") as file:
            return float(list(csv.DictReader(file, delimiter="\t"))[-1]["s"])
    except (OSError, LookupError, ValueError):
        return None


def spent_on(
    benchmarks: Path, method: str, *, once: Sequence[str] | None, queries: int
) -> dict[str, float | int | str | None]:
    """The seconds of the clock that a method's jobs took, a core or a GPU each.

    Args:
        benchmarks: the study's folder of benchmark files.
        once: of the jobs that prepare its scores, below `benchmarks`; None if that is not known.
        queries: that a job scores which scores all of them.

    Returns:
        `method`, `n_queries`, `seconds` of the jobs that score queries and `seconds_once` of those
        that prepare; None where not all of the files are there.
    """
    folder = benchmarks / "attribution"
    one = folder / f"{method}.tsv"  # all queries in one job, or each in its own
    own = [one] if one.exists() else sorted((folder / method).glob("*.tsv"))
    if own != [one]:
        queries = len(own)
    return {
        "method": method,
        "n_queries": queries,
        "seconds": _sum(own) if own else None,
        "seconds_once": None if once is None else _sum([benchmarks / path for path in once]),
    }


def _sum(paths: Iterable[Path]) -> float | None:
    found = [seconds_of(path) for path in paths]
    return None if None in found else sum(seconds for seconds in found if seconds is not None)


def spent_table(costs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each method of which is known what its own jobs took.

    Columns: `method`; `n_queries`, which its jobs scored; `seconds_per_query` of these jobs;
    `seconds_once` of preparation; `seconds_per_query_here`, both, the preparation spread over this
    study's queries. The last two are empty where preparation is not known.
    """
    table = pd.DataFrame(list(costs), columns=[*COLUMNS[:2], "seconds", "seconds_once"])
    table = table.dropna(subset="seconds")
    table = table.astype({"seconds": float, "seconds_once": float})
    here = (table["seconds"] + table["seconds_once"]) / table["n_queries"]
    table["seconds_per_query"] = table["seconds"] / table["n_queries"]
    return table.assign(seconds_per_query_here=here)[list(COLUMNS)]
