"""What a study shows, in sentences that are made of its tables, and what would settle the rest."""

from collections.abc import Iterable

import pandas as pd

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.headline import main_k, methods_ks, primary, ranked
from leavekout.leave_k_out.report.text import estimate
from leavekout.report.text import interval, keyed, p_value, queries, records, significant_pairs
from leavekout.statistics.significance import LEVEL


def verdict(estimates: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """What the primary measure says at the K of most methods, in two or three sentences."""
    measure, k = primary(estimates), main_k(estimates)
    here = (estimates["measure"] == measure.name) & (estimates["k"] == k)
    order = ranked(estimates, k)
    best = keyed(estimates[here], "method")[order[0],]
    among = f"Of {len(order)} methods, {order[0]} does best by {measure.label}. "
    sentence = among if len(order) > 1 else ""
    sentence += (
        f"Without the {k:,} images that {order[0]} names, the excess over random removal, "
        f"{measure.heading}, is {estimate(best, 'excess')}."
    )
    tested = estimates[here & estimates["p_corrected"].notna()]
    if len(tested):
        ahead = tested[measure.direction * tested["excess"] > 0]
        shown = int((ahead["p_corrected"] <= LEVEL).sum())
        how_many = f"{shown} of {len(tested)} methods" if shown else "no method"
        sentence += (
            f" From {_counted(int(tested['n_queries'].max()), 'query', 'queries')}, {how_many} can "
            "be shown to be ahead of random removal"
        )
        pairs = comparisons[(comparisons["k"] == k) & (comparisons["measure"] == measure.name)]
        if len(pairs):
            told = int(pairs["distinguishable"].astype(bool).sum())
            sentence += f", and {told} of {len(pairs)} pairs of methods can be told apart"
        sentence += "."
    return sentence


def claims(estimates: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Sentences on methods against random, and on pairs, at each K and measure."""
    sentences = []
    for k in reversed(methods_ks(estimates)):
        for measure in measures_in(estimates["measure"]):
            name = measure.label
            rows = estimates[(estimates["k"] == k) & (estimates["measure"] == measure.name)]
            rows = rows[rows["p_corrected"].notna()]
            if len(rows):
                shown = (rows["p_corrected"] <= LEVEL) & (measure.direction * rows["excess"] > 0)
                rest = rows[~shown]["method"]
                sentences.append(
                    f"K = {k:,}, {name}: {shown.sum()} of {len(rows)} methods are ahead of random "
                    f"removal{_listed('; not shown for ', rest)}."
                )
            pairs = comparisons[(comparisons["k"] == k) & (comparisons["measure"] == measure.name)]
            if len(pairs):
                sentences.append(f"K = {k:,}, {name}: {significant_pairs(pairs)}")
    return sentences


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(lead: str, names: Iterable[str]) -> str:
    text = ", ".join(names)
    return lead + text if text else ""


def pairs_table(comparisons: pd.DataFrame, k: int, measure: Measure) -> pd.DataFrame:
    """The pairs of methods at one K and measure as text, those told apart first."""
    rows = comparisons[(comparisons["k"] == k) & (comparisons["measure"] == measure.name)]
    scale = measure.scale
    table = []
    for row in records(rows.sort_values(["p_corrected", "p"], kind="stable")):
        ahead = round(row["share_ahead"] * row["n_queries"])
        low, high = row["low"] * scale, row["high"] * scale
        table.append(
            {
                "ahead": row["ahead"],
                "behind": row["behind"],
                f"difference, {measure.heading}": interval(
                    row["difference"] * scale, (high - low) / 4, low, high
                ),
                "queries ahead": f"{ahead} of {row['n_queries']}",
                "p": p_value(row["p"]),
                "corrected p": p_value(row["p_corrected"]),
                "told apart": "yes" if row["distinguishable"] else "no",
                "queries that would settle it": queries(row["queries_needed"]),
            }
        )
    return pd.DataFrame(table)
