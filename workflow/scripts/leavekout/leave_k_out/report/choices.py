"""What the report shows for each measure and K, between which a reader chooses."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leavekout.contract.removal import RANDOM
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.claims import claims, pairs_table
from leavekout.leave_k_out.report.headline import (
    JOINED,
    has_topics,
    main_k,
    methods_ks,
    primary,
    ranked,
)
from leavekout.leave_k_out.report.queries import Values
from leavekout.leave_k_out.report.text import equivalent, estimate
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.text import interval, keyed, p_value, records
from leavekout.statistics.significance import LEVEL


@dataclass(frozen=True)
class Choice:
    """One measure and K: a table of methods, who beats whom, and what follows from it.

    Args:
        methods: a row of text for each method, the best by this measure first.
        matrix: (method, method) → mark and explanation of the pair.
    """

    measure: Measure
    k: int
    methods: pd.DataFrame
    matrix: Mapping[tuple[str, str], tuple[str, str]]
    claims: Sequence[str]
    pairs: pd.DataFrame


def choices_in(estimates: pd.DataFrame) -> list[tuple[Measure, int]]:
    """All measures at every K of the methods; the primary measure and the main K come first."""
    main = main_k(estimates)
    ks = sorted(methods_ks(estimates), key=lambda k: (k != main, k))
    return [(measure, k) for measure in measures_in(estimates["measure"]) for k in ks]


def choice(
    tables: Mapping[str, pd.DataFrame],
    values: Values,
    measure: Measure,
    k: int,
    joined: Collection[str] = (),
) -> Choice:
    """What the page shows for one measure and K.

    Args:
        tables: `estimates`, `comparisons`, `equivalents`, `measurements` and `costs`.
        joined: methods that were added to a published study, which are marked.
    """
    estimates = rows_of(tables["estimates"], measure, k)
    pairs = rows_of(tables["comparisons"], measure, k)
    order = ranked(estimates, k)
    cells, costs = keyed(estimates, "method"), keyed(tables["costs"], "method")
    equivalents = keyed(rows_of(tables["equivalents"], measure, k), "method")
    queries = list(dict.fromkeys(tables["measurements"]["query"]))
    won = pairs[pairs["distinguishable"].astype(bool)]
    rows = []
    for method in order:
        cell = cells[method,]
        row = {"method": method + JOINED if method in joined else method}
        row[f"excess {measure.heading}"] = estimate(cell, "excess") + _star(cell["p_corrected"])
        if has_topics(estimates):
            star = _star(cell["topic_p_corrected"])
            row["over topic"] = estimate(cell, "topic_excess") + star
        known = equivalents.get((method,))
        row["random equivalent"] = "–" if known is None else equivalent(known)
        if len(order) > 1:
            row["beats"] = f"{(won['ahead'] == method).sum()}"
            row["beaten by"] = f"{(won['behind'] == method).sum()}"
        row |= _over_queries(values, measure, k, method, queries)
        cost = costs.get((method,), {})
        row["seconds a query"] = _seconds(
            cost.get("seconds_per_query_here"), cost.get("seconds_per_query")
        )
        rows.append(row)
    return Choice(
        measure,
        k,
        pd.DataFrame(rows),
        _matrix(pairs, measure),
        claims(estimates, pairs),
        pairs_table(tables["comparisons"], k, measure),
    )


def _star(p: float) -> str:
    return " *" if p <= LEVEL else ""


def _over_queries(
    values: Values, measure: Measure, k: int, method: str, queries: Sequence[str]
) -> dict[str, str]:
    """On how many queries the method beats random removal, and the query where it does least."""
    effects = {
        query: measure.direction * excess
        for query in queries
        if not np.isnan(excess := values.excess(measure, k, method, query))
    }
    if not effects:
        return {"queries ahead": "–", "weakest query": "–"}
    ahead = sum(effect > 0 for effect in effects.values())
    weakest = min(effects, key=lambda query: effects[query])
    return {"queries ahead": f"{ahead} of {len(effects)}", "weakest query": weakest}


def _seconds(*known: Any) -> str:
    """The first known number of seconds."""
    for value in known:
        if value is not None and not np.isnan(value):
            return f"{value:.2g}" if value < 100 else f"{value:,.0f}"
    return "–"


def _matrix(pairs: pd.DataFrame, measure: Measure) -> dict[tuple[str, str], tuple[str, str]]:
    """Marks of all pairs, both ways: `▲` ahead, `▼` behind, `·` not significantly different."""
    matrix: dict[tuple[str, str], tuple[str, str]] = {}
    for row in records(pairs):
        ahead, behind = str(row["ahead"]), str(row["behind"])
        low, high = (measure.scale * row[end] for end in ("low", "high"))
        size = interval(measure.scale * row["difference"], (high - low) / 4, low, high)
        p = p_value(row["p_corrected"])
        text = f"{ahead} minus {behind}: {size}, corrected p {p}"
        up, down = ("▲", "▼") if row["distinguishable"] else ("·", "·")
        matrix |= {(ahead, behind): (up, text), (behind, ahead): (down, text)}
    return matrix


def dots(
    tables: Mapping[str, pd.DataFrame],
    prompts: Mapping[str, str],
    values: Values,
    choices: Sequence[Choice],
) -> dict[str, Any]:
    """The values behind the plot of dots, as plain data.

    For each choice, the values of each method are in the order of `queries`; of random removal,
    each query has the values of all its models.
    """

    def shown(measure: Measure, k: int, arm: str, query: str) -> list[float]:
        return [float(f"{measure.scale * v:.4g}") for v in values.of(measure, k, arm, query)]

    queries = list(dict.fromkeys(tables["measurements"]["query"]))
    return {
        "queries": queries,
        "prompts": [prompts.get(query, "") for query in queries],
        "primary": primary(tables["estimates"]).name,
        "choices": [
            {
                "measure": one.measure.name,
                "k": one.k,
                "heading": one.measure.heading,
                "effect": one.measure.axis,
                "direction": one.measure.direction,
                "random": [shown(one.measure, one.k, RANDOM, query) for query in queries],
                "methods": {
                    method: [shown(one.measure, one.k, method, query) for query in queries]
                    for method in ranked(rows_of(tables["estimates"], one.measure, one.k), one.k)
                },
            }
            for one in choices
        ],
    }
