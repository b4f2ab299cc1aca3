"""The order and the groups of methods that comparisons give."""

import pandas as pd

from leavekout.leave_k_out.statistics.comparisons import comparisons_table, indistinguishable
from studies import study


def test_each_pair_names_the_better_method_first_by_every_measure() -> None:
    table = comparisons_table(study(), resamples=500)
    assert (table["ahead"] == "good").all()
    assert table["distinguishable"].all()
    assert (table["difference"] * [1, 1, -1] > 0).all()
    assert (table["share_ahead"] == 1).all()


def test_groups_hold_exactly_the_pairs_without_a_significant_difference() -> None:
    order = ["a", "b", "c", "d"]
    open_pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")}
    rows = [
        {"ahead": x, "behind": y, "distinguishable": (x, y) not in open_pairs}
        for i, x in enumerate(order)
        for y in order[i + 1 :]
    ]
    assert indistinguishable(pd.DataFrame(rows), order) == [["a", "b", "c"], ["c", "d"]]
