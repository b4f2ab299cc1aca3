"""What a method's scores cost: seconds of its jobs, from their benchmark files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leavekout.base.benchmarks import last_attempt

COLUMNS = ("method", "n_queries", "seconds_per_query", "seconds_once", "seconds_per_query_here")


def seconds_of(benchmark: Path) -> float | None:
    """The time in a benchmark file of Snakemake; None if the file is missing or incomplete."""
    try:
        return float((last_attempt(benchmark) or {})["s"])
    except (LookupError, TypeError, ValueError):
        return None


def spent_on(
    benchmarks: Path, method: str, *, once: Sequence[str] | None, queries: int
) -> dict[str, float | int | str | None]:
    """The seconds of the clock that a method's jobs took.

    Args:
        benchmarks: the study's folder of benchmark files.
        once: files of the jobs that prepare its scores, below `benchmarks`; None if unknown.
        queries: how many a job scores that scores all of them.

    Returns:
        `method`, `n_queries`, `seconds` of the jobs that score queries and `seconds_once` of those
        that prepare; None if any file is missing.
    """
    folder = benchmarks / "attribution"
    whole = folder / f"{method}.tsv"  # all queries in one job; otherwise each has its own
    own = [whole] if whole.exists() else sorted((folder / method).glob("*.tsv"))
    if own != [whole]:
        queries = len(own)
    return {
        "method": method,
        "n_queries": queries,
        "seconds": _sum(own) if own else None,
        "seconds_once": None if once is None else _sum([benchmarks / path for path in once]),
    }


def _sum(paths: Iterable[Path]) -> float | None:
    seconds = [seconds_of(path) for path in paths]
    return None if None in seconds else sum(s for s in seconds if s is not None)


def spent_table(costs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each method whose own jobs have a known cost.

    Columns: `method`; `n_queries`, which its jobs scored; `seconds_per_query` of these jobs;
    `seconds_once` of preparation; `seconds_per_query_here`, both, with the preparation divided by
    the number of queries. The last two are empty if the cost of preparation is unknown.
    """
    table = pd.DataFrame(list(costs), columns=[*COLUMNS[:2], "seconds", "seconds_once"])
    table = table.dropna(subset="seconds")
    table = table.astype({"seconds": float, "seconds_once": float})
    here = (table["seconds"] + table["seconds_once"]) / table["n_queries"]
    table["seconds_per_query"] = table["seconds"] / table["n_queries"]
    return table.assign(seconds_per_query_here=here)[list(COLUMNS)]
