"""The tables against their definitions on numbers made by hand."""

import numpy as np
import pandas as pd
import pytest

from leavekout.tables import paired_table, per_query_table, readable, summary_table


def evaluation(method: str, k: int, seed: int, losses: dict[str, float]) -> dict:
    rows = [
        {"query": q, "delta_loss": v, "mse": 2 * v, "clip": 1 - v, "losses": [0.0]}
        for q, v in losses.items()
    ]
    return {"method": method, "k": k, "seed": seed, "queries": rows}


EVALUATIONS = [
    evaluation("mine", 10, 0, {"q000": 0.5}),
    evaluation("mine", 10, 0, {"q001": 0.7}),
    evaluation("random", 10, 0, {"q000": 0.1, "q001": 0.2, "t000": 9.0}),
    evaluation("random", 10, 1, {"q000": 0.3, "q001": 0.0, "t000": 9.0}),
    evaluation("no_removal", 0, 5, {"q000": 0.05, "q001": 0.15, "t000": 9.0}),
]


@pytest.fixture
def per_query() -> pd.DataFrame:
    return per_query_table(EVALUATIONS, ["q000", "q001"])


def test_every_measurement_of_the_asked_queries_stands_once(per_query: pd.DataFrame) -> None:
    assert list(per_query) == ["method", "query", "k", "seed", "delta_loss", "mse", "clip"]
    assert len(per_query) == 2 + 4 + 2
    assert "t000" not in set(per_query["query"])


def test_summary_averages_models_first_then_queries(per_query: pd.DataFrame) -> None:
    summary = {row["method"]: row for row in summary_table(per_query).to_dict("records")}
    counts = {method: (row["n_queries"], row["n_models"]) for method, row in summary.items()}
    assert counts == {"random": (2, 2), "mine": (2, 2), "no_removal": (2, 1)}
    assert summary["random"]["delta_loss"] == pytest.approx(0.15)
    by_query = [0.2, 0.1]
    expected = np.std(by_query, ddof=1) / np.sqrt(2)
    assert summary["random"]["delta_loss_se"] == pytest.approx(expected)


def test_differences_are_paired_by_query(per_query: pd.DataFrame) -> None:
    paired = paired_table(per_query, resamples=2000).to_dict("records")
    assert {row["method"] for row in paired} == {"mine"}
    row = {row["measure"]: row for row in paired}
    assert row["delta_loss"]["difference"] == pytest.approx(np.mean([0.5 - 0.2, 0.7 - 0.1]))
    assert row["delta_loss"]["low"] == pytest.approx(0.3)
    assert row["delta_loss"]["high"] == pytest.approx(0.6)
    assert row["clip"]["better"] == 1.0


def test_the_bootstrap_interval_covers_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        values = drawn.normal(1.0, 1.0, 30)
        rows = [evaluation("mine", 1, 0, {f"q{i:03d}": v}) for i, v in enumerate(values)]
        rows += [evaluation("random", 1, 0, {f"q{i:03d}": 0.0 for i in range(30)})]
        table = per_query_table(rows, [f"q{i:03d}" for i in range(30)])
        first = paired_table(table, resamples=400).to_dict("records")[0]
        hits += first["low"] <= 1.0 <= first["high"]
    assert 85 <= hits <= 100


def test_numbers_for_people_are_rounded_to_their_uncertainty(per_query: pd.DataFrame) -> None:
    assert "0.150 ± 0.050" in readable(summary_table(per_query))
