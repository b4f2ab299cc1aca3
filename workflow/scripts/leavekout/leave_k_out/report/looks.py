"""What a study that grows says at one of its planned looks: what is settled, and what to add."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from leavekout.leave_k_out.report.headline import main_k, primary
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.statistics.looks import spent
from leavekout.statistics.significance import LEVEL

MOST_TOPICS = 6  # that a sentence names


def of_looks(
    estimates: pd.DataFrame,
    comparisons: pd.DataFrame,
    looks: Sequence[int],
    clusters: Mapping[str, str],
) -> str:
    """Which look this is, how much of the allowed errors is spent, and what follows from it.

    Args:
        estimates, comparisons: the tables of these names.
        looks: the numbers of queries at all looks.
        clusters: of every query of the plan, in the order in which they are measured.
    """
    queries = int(estimates["n_queries"].max())
    number, planned = looks.index(queries) + 1, looks[-1]
    if queries == planned:
        return (
            f"The last of {len(looks)} planned looks: tests are corrected for all of them, and "
            "intervals are not."
        )
    share = 100 * spent(LEVEL, queries / planned) / LEVEL
    return (
        f"Look {number} of {len(looks)}, at {queries} of {planned} planned queries: tests are "
        f"corrected for all looks, and {share:.2g} % of the allowed errors are spent. A "
        "significant difference is settled and needs no further queries; the others are open, "
        "and not shown to be absent. Intervals are not corrected for looks. "
        f"{_settled(estimates, comparisons)} {_next(clusters, queries, looks[number])}"
    )


def _settled(estimates: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """How many pairs are settled, and the methods that need no further models."""
    measure, k = primary(estimates), main_k(estimates)
    pairs = rows_of(comparisons, measure, k)
    open_pairs = pairs[~pairs["distinguishable"].astype(bool)]
    against_random = rows_of(estimates, measure, k).set_index("method")["p_corrected"]
    settled = [
        method
        for method in sorted({*pairs["ahead"], *pairs["behind"]})
        if method not in {*open_pairs["ahead"], *open_pairs["behind"]}
        and against_random[method] <= LEVEL
    ]
    said = (
        f"By {measure.label} at K = {k:,}, {len(pairs) - len(open_pairs)} of {len(pairs)} pairs of "
        "methods are settled."
    )
    if not len(pairs):
        return ""
    if settled and len(open_pairs):
        said += (
            f" {', '.join(settled)} can be stopped: {'its' if len(settled) == 1 else 'their'} "
            "place among the methods is settled."
        )
    return said


def _next(clusters: Mapping[str, str], measured: int, planned: int) -> str:
    """The queries of the next look, and on which topics they tell most."""
    names = list(clusters)
    following = names[measured:planned]
    said = f"The next look adds {len(following)} queries, {following[0]} to {following[-1]}."
    topics = {name: topic for name, topic in clusters.items() if topic != name}
    count = Counter(topics[name] for name in names[:measured] if name in topics)
    if not count or len(set(topics.values())) == len(topics):
        return said
    new = len({topics[name] for name in following if name in topics} - set(count))
    fewest = min(count.values())
    rare = sorted(topic for topic, queries in count.items() if queries == fewest)
    more = f" and {len(rare) - MOST_TOPICS} more" if len(rare) > MOST_TOPICS else ""
    return (
        f"{said} {new} of their topics have no query yet. A query tells most on a topic with none, "
        f"and then on one with few (the fewest, {fewest}: {', '.join(rare[:MOST_TOPICS])}{more})."
    )
