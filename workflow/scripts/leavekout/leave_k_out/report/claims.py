"""What a study shows, in sentences made from its tables."""

import pandas as pd

from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report.headline import has_topics, main_k, methods_ks, primary, ranked
from leavekout.leave_k_out.report.text import estimate
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.report.text import keyed, pairs_text, significant_pairs
from leavekout.statistics.significance import LEVEL


def verdict(estimates: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """What the primary measure shows at the K of most methods, in two or three sentences."""
    measure, k = primary(estimates), main_k(estimates)
    rows, order = rows_of(estimates, measure, k), ranked(estimates, k)
    best = keyed(rows, "method")[order[0],]
    pairs = rows_of(comparisons, measure, k)
    shown = pairs["distinguishable"].astype(bool) & (pairs["ahead"] == order[0])
    behind = set(pairs[shown]["behind"])
    rest = [method for method in order[1:] if method not in behind]
    text = f"Of {len(order)} methods, {order[0]} does best by {measure.label}. "
    if rest:
        which = rest[0] if len(rest) == 1 else f"{len(rest)} of the others"
        text = (
            f"Of {len(order)} methods, {order[0]} comes first by {measure.label}, but is not shown "
            f"to be ahead of {which}. "
        )
    text = (text if len(order) > 1 else "") + (
        f"Without the {k:,} images that {order[0]} selects, the excess over random removal, "
        f"{measure.heading}, is {estimate(best, 'excess')}."
    )
    tested = rows[rows["p_corrected"].notna()]
    if len(tested):
        ahead, queries = _ahead(tested, measure).sum(), int(tested["n_queries"].max())
        methods = f"{ahead} of {len(tested)} methods are" if ahead else "no method is"
        text += (
            f" Over {queries} {'query' if queries == 1 else 'queries'}, {methods} significantly "
            "ahead of random removal"
        )
        if has_topics(estimates[estimates["k"] == k]):
            text += f", {_ahead(tested, measure, 'topic_').sum()} of topic removal"
        if len(pairs):
            different = int(pairs["distinguishable"].astype(bool).sum())
            text += (
                f", and {different} of {len(pairs)} pairs of methods are significantly different"
            )
        text += "."
    return text


def claims(estimates: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Sentences on methods against random removal, and on pairs, for each K and measure."""
    sentences = []
    for k in reversed(methods_ks(estimates)):
        for measure in measures_in(estimates["measure"]):
            rows = rows_of(estimates, measure, k)
            rows = rows[rows["p_corrected"].notna()]
            if len(rows):
                ahead = _ahead(rows, measure)
                rest = ", ".join(rows[~ahead]["method"])
                sentences.append(
                    f"K = {k:,}, {measure.label}: {ahead.sum()} of {len(rows)} methods are "
                    f"significantly ahead of random removal{'; not shown for ' if rest else ''}"
                    f"{rest}."
                )
                if has_topics(estimates[estimates["k"] == k]):
                    ahead = _ahead(rows, measure, "topic_")
                    which = ", ".join(rows[ahead]["method"])
                    sentences.append(
                        f"K = {k:,}, {measure.label}: {ahead.sum()} of {len(rows)} methods are "
                        f"significantly ahead of topic removal{': ' if which else ''}{which}."
                    )
            pairs = rows_of(comparisons, measure, k)
            if len(pairs):
                sentences.append(f"K = {k:,}, {measure.label}: {significant_pairs(pairs)}")
    return sentences


def _ahead(rows: pd.DataFrame, measure: Measure, control: str = "") -> pd.Series:
    """Which rows are significantly better than random removal, or (`topic_`) topic removal."""
    better = measure.direction * rows[f"{control}excess"] > 0
    return (rows[f"{control}p_corrected"] <= LEVEL) & better


def pairs_table(comparisons: pd.DataFrame, k: int, measure: Measure) -> pd.DataFrame:
    """The pairs of methods of one K and measure as text, significantly different ones first."""
    rows = rows_of(comparisons, measure, k)
    ahead = (rows["share_ahead"] * rows["n_queries"]).astype(float).round().astype(int)
    return pairs_text(
        rows.assign(count=rows["n_queries"], count_ahead=ahead),
        over="queries",
        scale=measure.scale,
        unit=f", {measure.heading}",
    )
