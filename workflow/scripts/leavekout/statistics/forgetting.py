"""The forgetting check: what a model that forgot one query does to others (CR Tables 3 and 4)."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from leavekout.statistics.measurements import MEASURES


def forgetting_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """How far models that forgot a query deviate, on it and elsewhere.

    Args:
        rows: dicts of `method`, `query` (the forgotten one), `model` (`unlearned`, `k50`, …) and
            `measured`, an evaluation on queries or on related prompts.

    Returns:
        One row for each method, model and kind of prompt: `target`, the forgotten query itself;
        `related`, its related prompts; `other`, the other queries. Mean and standard error of each
        measure over the forgotten queries, after a mean over the prompts of one kind.
    """
    table = pd.DataFrame([
        {
            "method": row["method"], "model": row["model"], "forgotten": row["query"],
            "prompts": _kind(measured["query"], row["query"]), **measured,
        }
        for row in rows
        for measured in row["measured"]["queries"]
    ])  # fmt: skip
    keys = ["method", "model", "prompts"]
    by_query = table.groupby([*keys, "forgotten"])[list(MEASURES)].mean()
    groups = by_query.groupby(keys)
    summary = groups.size().to_frame("n_queries")
    for measure in MEASURES:
        summary[measure] = groups[measure].mean()
        summary[f"{measure}_se"] = groups[measure].sem()
    return summary.reset_index()


def _kind(name: str, forgotten: str) -> str:
    if name == forgotten:
        return "target"
    return "related" if name.startswith(f"{forgotten}-") else "other"
