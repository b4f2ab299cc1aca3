"""The order and the groups of methods that comparisons give."""

import pandas as pd

from leavekout.leave_k_out.statistics.comparisons import comparisons_table, indistinguishable
from leavekout.leave_k_out.statistics.power import queries_needed
from studies import study


def test_each_pair_names_the_better_method_first_by_every_measure() -> None:
    table = comparisons_table(study(), resamples=500)
    assert (table["ahead"] == "good").all()
    assert table["distinguishable"].all()
    assert (table["difference"] * [1, 1, -1] > 0).all()
    assert (table["share_ahead"] == 1).all()


def test_the_queries_needed_are_for_as_many_tests_as_there_are_pairs() -> None:
    table = study(ks=(10,), measures=("mse",))
    fair = table[table["method"] == "bad"].assign(method="fair")
    fair["value"] = fair["value"].to_numpy()[::-1] + 0.02  # of other queries
    table = pd.concat([table, fair], ignore_index=True)
    pairs = comparisons_table(table, resamples=100)
    assert len(pairs) == 3
    [row] = pairs[~pairs["ahead"].eq("good")].to_dict("records")
    cells = table.pivot_table(index="query", columns="method", values="value")
    difference = (cells[row["ahead"]] - cells[row["behind"]]).to_numpy()
    needed = [queries_needed(difference, level=0.05 / tests) for tests in (1, 3)]
    assert needed[0] < needed[1] == row["queries_needed"]


def test_groups_hold_exactly_the_pairs_without_a_significant_difference() -> None:
    order = ["a", "b", "c", "d"]
    open_pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")}
    rows = [
        {"ahead": x, "behind": y, "distinguishable": (x, y) not in open_pairs}
        for i, x in enumerate(order)
        for y in order[i + 1 :]
    ]
    assert indistinguishable(pd.DataFrame(rows), order) == [["a", "b", "c"], ["c", "d"]]
