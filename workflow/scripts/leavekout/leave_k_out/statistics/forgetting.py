"""The forgetting check: what a model that forgot one query does on others (CR Tables 3 and 4)."""

from collections.abc import Iterable

import pandas as pd

from leavekout.leave_k_out.measures.registry import measures_in


def forgetting_table(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """How much models that forgot a query change, on it and elsewhere.

    Args:
        tables: of `measuring.measure_outcomes`: models that unlearned a query, or were retrained
            without its images.

    Returns:
        One row for each method, model (`unlearned`, `k1000`, …) and role of the prompt: `target`,
        the forgotten query; `related`, its related prompts; `other`, the other queries. Each
        measure is averaged over the prompts of a role; its mean and standard error are over the
        forgotten queries.
    """
    table = pd.concat(tables, ignore_index=True)
    names = [measure.name for measure in measures_in(table["measure"])]
    table["model"] = ("k" + table["k"].astype(str)).where(table["k"] > 0, "unlearned")
    table = table.rename(columns={"role": "prompts", "targets": "forgotten"})
    keys = ["method", "model", "prompts"]
    by_query = table.pivot_table(
        index=[*keys, "forgotten"], columns="measure", values="value", aggfunc="mean"
    )
    groups = by_query[names].groupby(keys)
    summary = groups.size().to_frame("n_queries")
    for name in names:
        summary[name] = groups[name].mean()
        summary[f"{name}_se"] = groups[name].sem()
    return summary.reset_index()
