"""A first table of a study that still runs: the queries for which every model has been trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.measures.measuring import measure_outcomes
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.removals import study_models
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.leave_k_out.statistics.measurements import tabulate
from leavekout.report.text import records


def finished(models: Sequence[Removal], results: Path) -> tuple[list[Removal], list[str]]:
    """The models that a table of finished queries counts, and these queries.

    A query is finished if each method has all of its models. Random sets count that are there.
    """
    compared = [one for one in models if one.table == "measurements"]
    there = [one for one in compared if (results / one.outcome).exists()]
    missing = {one.outcome for one in compared} - {one.outcome for one in there}
    queries = dict.fromkeys(query for one in compared for query in one.targets)
    lacking = {q for one in compared if one.outcome in missing for q in one.targets}
    complete = [query for query in queries if query not in lacking]
    return [one for one in there if not one.targets or one.targets[0] in complete], complete


def table_so_far(e: LeaveKOut, results: Path) -> str:
    """Mean excess of each method over random removal so far, as text; empty if there is none.

    It takes the measures that need no encoder, and each query as independent of the others.
    """
    models, queries = finished(study_models(e), results)
    measures = [one for one in map(measure, e.measures) if one.encoder is None]
    source = results / "source" / "outcome.safetensors"
    sampled = any(one.policy == "random" for one in models)
    if not queries or not measures or not sampled or not source.exists():
        return ""
    outcomes = [results / one.outcome for one in models]
    rows = measure_outcomes(outcomes, Outcome.load(source), measures, {}, {*queries})
    table = estimates_table(tabulate([rows], dict(zip(queries, queries, strict=True))))
    lines = [
        f"So far, from the {len(queries)} of {len(e.test_queries())} queries that are complete "
        "(excess over random removal, 95 % interval; not the study's result):"
    ]
    for row in records(table.dropna(subset="excess")):
        by = measure(row["measure"])
        low, value, high = (by.scale * row[f"excess{end}"] for end in ("_low", "", "_high"))
        interval = f" ({low:.3g} to {high:.3g})" if np.isfinite([low, high]).all() else ""
        lines.append(f"  {row['method']}, K = {row['k']:,}, {by.heading}: {value:.3g}{interval}")
    return "\n".join(lines)
