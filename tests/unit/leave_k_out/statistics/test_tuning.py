"""The chosen setting is the best by the criterion on tuning queries."""

from typing import Any

import pandas as pd
import pytest

from leavekout.base.errors import InputError
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.tuning import with_choices
from leavekout.methods.entries import with_entries

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "mine": [{"step_size": 1.0}, {"step_size": 2.0}],
    "other": [{}, {"damping": 3}],
}


MODELS = {"n_models": 8, "covers": "queries and models"}
MEASURED = pd.DataFrame({"method": ["mine-t0", "mine-t0", "random"], "removed": [10, 30, 20]})


def estimates() -> pd.DataFrame:
    excess = {  # by method: of delta_loss, which should rise, and of clip, which should fall
        "mine-t0": (1.0, -0.5),
        "mine-t1": (2.0, -0.1),
        "other-t0": (4.0, 0.0),
        "other-t1": (3.0, -0.2),
        "random": (float("nan"), float("nan")),
    }
    rows = [
        {"measure": name, "k": k, "method": method, "excess": values[place] + 0.01 * k, **MODELS}
        for place, name in enumerate(("delta_loss", "clip"))
        for method, values in excess.items()
        for k in (10, 20)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("criterion", "best"),
    [("delta_loss", {"mine-t1", "other-t0"}), ("clip", {"mine-t0", "other-t1"})],
)
def test_the_best_setting_of_each_method_is_chosen(criterion: str, best: set[str]) -> None:
    options: Any = {"criterion": measure(criterion), "together": False, "measured": MEASURED}
    table = with_choices(estimates(), SETTINGS, **options)
    assert set(table.loc[table["chosen"], "method"]) == best
    row = table[table["method"] == "other-t1"].iloc[0]
    assert (row["tuned"], row["setting"]) == ("other", '{"damping": 3}')
    assert table.loc[table["method"] == "random", "tuned"].eq("").all()


def test_the_mean_over_all_k_decides() -> None:
    excess = {
        ("mine-t0", 10): 9.0,
        ("mine-t0", 20): 0.0,
        ("mine-t1", 10): 5.0,
        ("mine-t1", 20): 6.0,
    }
    rows = [{"measure": "mse", "k": k, "method": m, "excess": v} for (m, k), v in excess.items()]
    options: Any = {"criterion": measure("mse"), "together": False, "measured": MEASURED}
    settings = {"mine": SETTINGS["mine"]}
    table = with_choices(pd.DataFrame(rows), settings, **options)
    assert set(table.loc[table["chosen"], "method"]) == {"mine-t1"}


def test_settings_of_one_model_state_so_and_how_many_images_it_lacks() -> None:
    table = with_choices(
        estimates(), SETTINGS, criterion=measure("clip"), together=True, measured=MEASURED
    )
    rows = {row["method"]: row for row in table.to_dict("records")}
    assert (rows["mine-t1"]["n_models"], rows["mine-t1"]["covers"]) == (1, "queries")
    assert (rows["random"]["n_models"], rows["mine-t0"]["removed"]) == (8, 20)


def test_settings_become_methods_of_the_tuning() -> None:
    tree: dict[str, Any] = {
        "unlearning": {"mine": {"step_size": 9.0, "steps": 1}},
        "tuning": {"methods": ["clip"], "settings": {"mine": SETTINGS["mine"]}, "k": [10]},
    }
    found = with_entries(tree, lambda *key: "a.yaml")
    assert found["tuning"]["methods"] == ["clip", "mine-t0", "mine-t1"]
    assert found["unlearning"]["mine-t1"] == {"step_size": 2.0, "steps": 1}
    assert list(tree["unlearning"]) == ["mine"]  # the tree itself is not changed
    tree["unlearning"]["mine-t1"] = {}
    with pytest.raises(InputError, match="has the name of setting 1 of 'mine'"):
        with_entries(tree, lambda *key: "a.yaml")
