"""The order and the groups of methods that comparisons give."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.comparisons import comparisons_table, indistinguishable
from leavekout.leave_k_out.statistics.power import queries_needed
from leavekout.statistics.paired import moderated
from leavekout.statistics.resampling import Estimate
from studies import study


def test_each_pair_names_the_better_method_first_by_every_measure() -> None:
    table = comparisons_table(study())
    assert (table["ahead"] == "good").all()
    assert table["distinguishable"].all()
    assert (table["difference"] * [1, 1, -1] > 0).all()
    assert (table["share_ahead"] == 1).all()


def test_the_queries_needed_are_for_as_many_tests_as_there_are_pairs() -> None:
    table = study(ks=(10,), measures=("mse",))
    fair = table[table["method"] == "bad"].assign(method="fair")
    fair["value"] = fair["value"].to_numpy()[::-1] + 0.02  # of other queries
    table = pd.concat([table, fair], ignore_index=True)
    pairs = comparisons_table(table)
    assert len(pairs) == 3
    [row] = pairs[~pairs["ahead"].eq("good")].to_dict("records")
    margin = (row["high"] - row["low"]) / 2
    # Eight queries have 7 degrees of freedom, and the prior 0 to 7 more.
    cells = table.pivot_table(index="query", columns="method", values="value")
    names = ["good", "bad", "fair"]
    variances = [(cells[a] - cells[b]).var() for a, b in combinations(names, 2)]
    _, prior = moderated(np.array(variances), 7.0)
    freedom = 7 + prior
    error = margin / stats.t.ppf(0.975, freedom)
    value, error_of = np.array(row["difference"]), np.array(error)
    estimate = Estimate(value, error_of, error_of, np.array(freedom))
    needed = [
        queries_needed(estimate, level=0.05 / tests, queries=8, clusters=8) for tests in (1, 3)
    ]
    assert needed[0] < needed[1] == row["queries_needed"]
    by_t = 2 * stats.t.sf(abs(row["difference"]) / error, freedom)
    assert row["p"] >= by_t * (1 - 1e-9)


def test_pairs_are_corrected_for_looks() -> None:
    once, early = (comparisons_table(study(), looks=looks) for looks in (None, [8, 16]))
    assert early["p"].to_numpy() == pytest.approx(once["p"].to_numpy())
    assert (early["p_corrected"] > once["p_corrected"]).all()


def test_groups_hold_exactly_the_pairs_without_a_significant_difference() -> None:
    order = ["a", "b", "c", "d"]
    open_pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")}
    rows = [
        {"ahead": x, "behind": y, "distinguishable": (x, y) not in open_pairs}
        for i, x in enumerate(order)
        for y in order[i + 1 :]
    ]
    assert indistinguishable(pd.DataFrame(rows), order) == [["a", "b", "c"], ["c", "d"]]
