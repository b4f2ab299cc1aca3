"""The tidy table of all measurements, against measurements made by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from leavekout.leave_k_out.measures.measuring import COLUMNS
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.forgetting import forgetting_table
from leavekout.leave_k_out.statistics.measurements import DICTIONARY, dictionary, tabulate
from leavekout.leave_k_out.statistics.removals import auc, order_beside_single, removals_table

Rows = list[tuple[str, str, float]]  # query, role, value


def measured(
    policy: str, method: str, k: int, rows: Rows, *, seed: int = 7, number: int | None = None
) -> pd.DataFrame:
    """What `measure_outcomes` says of one model, by two measures."""
    targets = "+".join(query for query, role, _ in rows if role == "target")
    table = pd.DataFrame(
        [
            (policy, method, k, seed, number, targets, k, query, role, name, factor * value, 0.0)
            for name, factor in (("mse", 2), ("delta_loss", 1))
            for query, role, value in rows
        ],
        columns=list(COLUMNS),
    )
    return table.astype({"number": "Int64"})


def others(**values: float) -> Rows:
    return [(query, "other", value) for query, value in values.items()]


STUDY = [
    measured("top", "mine", 10, [("q001", "target", 0.7), *others(q000=9.0)]),
    measured("top", "mine", 10, [("q000", "target", 0.5), ("q000-r00", "related", 9.0)]),
    measured("random", "random", 10, others(q000=0.1, q001=0.2), number=3),
    measured("nothing", "no_removal", 0, others(q000=0.05, q001=0.15), seed=5),
]

CLUSTERS = {"q000": "q000", "q001": "q000"}


def test_a_methods_model_counts_for_its_own_query_alone() -> None:
    """And not for those that the forgetting check looks at; controls count for all."""
    rows = tabulate(STUDY, CLUSTERS)
    assert list(rows) == list(DICTIONARY)
    assert rows["value"].max() < 2
    assert len(rows) == 2 * (2 + 2 + 2)
    assert not rows.duplicated(["method", "query", "k", "training_seed", "measure"]).any()
    mine = rows[(rows["measure"] == "delta_loss") & (rows["method"] == "mine")]
    assert mine["value"].tolist() == [0.5, 0.7]
    assert set(rows["cluster"]) == {"q000"}


def test_measures_keep_their_order_and_seeds_and_random_sets_have_columns() -> None:
    rows = tabulate(STUDY, CLUSTERS)
    assert rows["measure"].unique().tolist() == ["mse", "delta_loss"]
    by = {method: rows[rows["method"] == method] for method in ("random", "no_removal", "mine")}
    assert set(by["random"]["training_seed"]) == {7}  # paired with the source model
    assert set(by["random"]["removal_set"]) == {3}
    assert set(by["no_removal"]["training_seed"]) == {5}
    assert by["mine"]["removal_set"].isna().all()


def test_the_dictionary_explains_every_column() -> None:
    measures = [measure("clip"), measure("mse"), measure("ssim")]
    table = dictionary(measures)
    of_topics = dictionary(measures, topics=True)
    changed = table["column"][table["meaning"] != of_topics["meaning"]]
    assert changed.tolist() == ["method", "removal_set"]
    assert table["column"].tolist() == list(tabulate(STUDY, CLUSTERS))
    meaning = table.set_index("column")["meaning"]
    assert meaning.str.len().min() > 20
    assert "A good method raises `mse` and lowers `clip`, `ssim`." in meaning["value"]
    assert "`ssim`: structural similarity" in meaning["measure"]


def test_forgetting_is_averaged_for_each_role_of_a_prompt() -> None:
    def unlearned(query: str, target: float, related: list[float], **other: float) -> pd.DataFrame:
        prompts = [(f"{query}-r0{i}", "related", value) for i, value in enumerate(related)]
        return measured(
            "unlearned", "m", 0, [(query, "target", target), *others(**other), *prompts]
        )

    tables = [
        unlearned("q000", 5.0, [2.0, 4.0], q001=1.0, q002=3.0),
        unlearned("q001", 7.0, [1.0, 1.0], q000=2.0, q002=4.0),
        measured("top", "m", 5, [("q000", "target", 9.0)]),
    ]
    table: Any = forgetting_table(tables).set_index(["model", "prompts"])
    means = table.loc["unlearned", "delta_loss"].to_dict()
    assert means == {"target": 6.0, "related": 2.0, "other": 2.5}
    assert table.loc[("unlearned", "other"), "delta_loss_se"] == 0.5
    assert table.loc["unlearned", "n_queries"].tolist() == [2, 2, 2]
    assert table.loc[("unlearned", "target"), "mse"] == 12.0
    assert table.loc[("k5", "target"), "delta_loss"] == 9.0


def test_unions_compare_their_queries_with_others() -> None:
    rows: Rows = [("q000", "target", 4.0), ("q001", "target", 6.0), *others(q002=1.0)]
    control: Rows = [("q000", "target", 1.0), ("q001", "target", 2.0), *others(q002=2.0)]
    table: Any = removals_table(
        [
            measured("union", "mine", 10, rows, number=0),
            measured("union", "random", 10, control, number=0),
        ]
    ).set_index(["measure", "method"])
    mine = table.loc[("delta_loss", "mine")]
    assert (mine["targets"], mine["others"]) == (5.0, 1.0)
    assert (mine["n_targets"], mine["n_others"], mine["models"]) == (2, 1, 1)
    assert mine["targets_low"] < 5 < mine["targets_high"]
    assert table.loc[("mse", "random"), "targets"] == 3.0
    # 4 and 6 against 1 and 2: all four pairs; 1 against 2: none.
    assert (mine["targets_auc"], mine["others_auc"]) == (1.0, 0.0)
    assert np.isnan(table.loc[("mse", "random"), "targets_auc"])


def test_the_auc_is_the_share_of_pairs_in_which_more_is_lost() -> None:
    rng = np.random.default_rng(0)
    values, control = rng.integers(0, 6, 7) / 2.0, rng.integers(0, 6, 9) / 2.0
    pairs = [(v > c) + 0.5 * (v == c) for v in values for c in control]
    assert auc(values, control, measure("mse")) == pytest.approx(np.mean(pairs))
    # Less similar is more change.
    assert auc(values, control, measure("clip")) == pytest.approx(1 - np.mean(pairs))


def test_the_order_by_unions_is_compared_with_the_order_by_single_removals() -> None:
    methods = ["a", "b", "c", "d", "e"]
    areas, excess = [0.9, 0.7, 0.8, 0.6, 0.5], [5.0, 3.0, 4.0, 2.0, 1.0]
    removals = pd.DataFrame(
        {"measure": "mse", "method": [*methods, "random"], "k": 10, "targets_auc": [*areas, np.nan]}
    )
    estimates = pd.DataFrame({"measure": "mse", "method": methods, "k": 10, "excess": excess})
    rho, p = order_beside_single(removals, estimates, measure("mse"))
    assert (rho, p) == (pytest.approx(1), pytest.approx(2 / 120))
    few = estimates[estimates["method"] < "d"]
    assert np.isnan(order_beside_single(removals, few, measure("mse"))[0])


def test_a_query_that_is_a_control_of_two_unions_counts_once() -> None:
    first: Rows = [("q000", "target", 4.0), *others(q002=1.0, q003=9.0)]
    second: Rows = [("q001", "target", 6.0), *others(q002=3.0)]
    table: Any = removals_table(
        [measured("union", "mine", 10, rows, number=i) for i, rows in enumerate([first, second])]
    )
    [mine] = table.query("measure == 'delta_loss'").to_dict("records")
    assert (mine["n_others"], mine["others"]) == (2, 5.5)


def test_a_removal_without_other_queries_has_its_own_alone() -> None:
    tables = [measured("new", "mine", 10, [(f"q00{i}", "target", i)]) for i in range(3)]
    [one] = removals_table(tables).query("measure == 'mse'").to_dict("records")
    assert (one["targets"], one["models"], one["n_targets"], one["removed"]) == (2.0, 3, 3, 10)
    assert "others" not in one
