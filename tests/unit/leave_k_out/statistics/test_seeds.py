"""Cells that were trained from two seeds, against variances that were put in."""

import numpy as np
import pandas as pd
import pytest

from leavekout.leave_k_out.statistics.seeds import ALL, seeds_table
from studies import study

QUERIES = [f"q{i:03d}" for i in range(200)]


def test_the_retraining_s_variance_is_recovered() -> None:
    rng = np.random.default_rng(0)
    effect, noise = 2 * rng.standard_normal(200), 0.7
    floor = 5 + rng.standard_normal(200)

    def rows(method: str, k: int, seed: int, values: np.ndarray, measure: str) -> pd.DataFrame:
        table = pd.DataFrame({"query": QUERIES, "value": values, "measure": measure})
        return table.assign(method=method, k=k, training_seed=seed, role="target")

    first = effect + noise * rng.standard_normal(200)
    second = floor + effect + noise * rng.standard_normal(200)
    measurements = pd.concat(
        [
            rows("a", 10, 0, first, "delta_loss"),
            rows("a", 10, 0, np.zeros(200), "mse"),
            rows("no_removal", 0, 1, floor, "delta_loss"),
            rows("no_removal", 0, 2, floor + 100, "delta_loss"),
        ]
    )
    again = [rows("a", 10, 1, second, "delta_loss")[:150], rows("a", 10, 1, second, "mse")]
    found = seeds_table(again, measurements)
    assert found["method"].tolist() == ["a", ALL]
    one = found.iloc[0]
    assert one["cells"] == 150
    assert one["second"] == pytest.approx((second - floor)[:150].mean())
    assert one["retraining"] == pytest.approx(noise**2, rel=0.2)
    assert one["share"] == pytest.approx(noise**2 / (4 + noise**2), rel=0.3)
    assert one["correlation"] == pytest.approx(4 / (4 + noise**2), abs=0.05)
    assert np.isnan(one["own"])  # one method


def test_variance_that_methods_share_on_a_query_is_not_their_own() -> None:
    rng = np.random.default_rng(1)
    common, own, methods = 0.9, 0.4, "abcd"
    effect, moved = rng.standard_normal((2, 200))
    floor = pd.DataFrame({"method": "no_removal", "k": 0, "query": QUERIES, "value": 0.0})
    floor = floor.assign(training_seed=1, measure="delta_loss")

    def cells(seed: int) -> pd.DataFrame:
        return pd.concat(
            floor.assign(method=method, k=10, training_seed=seed, role="target").assign(
                value=effect + own * rng.standard_normal(200) + common * moved * seed
            )
            for method in methods
        )

    found = seeds_table([cells(1)], pd.concat([cells(0), floor])).set_index("method")
    assert found.loc[ALL, "own"] == pytest.approx(own**2, rel=0.15)
    assert found.loc[ALL, "retraining"] == pytest.approx(own**2 + common**2 / 2, rel=0.2)


def test_a_share_is_at_most_one() -> None:
    first, second = pd.Series([1.0, 2.0, 3.0]), pd.Series([3.0, 2.0, 1.0])
    cells = pd.DataFrame({"method": "a", "k": 10, "query": QUERIES[:3], "measure": "delta_loss"})
    floor = cells.assign(method="no_removal", k=0, training_seed=1, value=0.0)
    again = cells.assign(role="target", training_seed=1, value=second)
    measurements = pd.concat([cells.assign(training_seed=0, value=first), floor])
    assert (seeds_table([again], measurements)["share"] == 1).all()


def test_too_few_cells_leave_variances_empty() -> None:
    one = {"method": "a", "k": 10, "query": "q000", "role": "target", "measure": "delta_loss"}
    again = pd.DataFrame([{**one, "training_seed": 1, "value": 3.0}])
    floor = {**one, "method": "no_removal", "k": 0, "training_seed": 1, "value": 1.0}
    measurements = pd.DataFrame([{**one, "training_seed": 0, "value": 2.5}, floor])
    [row, _] = seeds_table([again], measurements).to_dict("records")
    assert (row["cells"], row["first"], row["second"]) == (1, 2.5, 2.0)
    assert np.isnan([row["retraining"], row["share"], row["correlation"]]).all()
    assert seeds_table([again], measurements[measurements["method"] == "b"]).empty


def test_constant_effects_have_no_correlation_and_no_warning() -> None:
    measurements = study(queries=4).assign(value=0.0)
    again = measurements[measurements["method"] == "good"].assign(training_seed=1, role="target")
    assert seeds_table([again], measurements)["correlation"].isna().all()
