"""The tidy table of all measurements, against evaluations made by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from leavekout.errors import InputError
from leavekout.statistics.measurements import DICTIONARY, dictionary, evaluation_error, tabulate

SOURCE = {name: np.linspace(0.1, 0.3, 5) for name in ("q000", "q001", "t000")}


def evaluation(method: str, k: int, seed: int, values: dict[str, float]) -> dict[str, Any]:
    rows = [
        {"query": q, "delta_loss": v, "mse": 2 * v, "clip": 1 - v,
         "losses": (SOURCE[q] + v).tolist()}
        for q, v in values.items()
    ]  # fmt: skip
    return {"method": method, "k": k, "seed": seed, "queries": rows}


EVALUATIONS = [
    evaluation("mine", 10, 7, {"q000": 0.5}),
    evaluation("mine", 10, 7, {"q001": 0.7}),
    evaluation("random", 10, 3, {"q000": 0.1, "q001": 0.2, "t000": 9.0}),
    evaluation("no_removal", 0, 5, {"q000": 0.05, "q001": 0.15, "t000": 9.0}),
]


def table(evaluations: list[dict[str, Any]]) -> pd.DataFrame:
    named = [(f"file{i}.json", content) for i, content in enumerate(evaluations)]
    return tabulate(named, ["q000", "q001"], source_losses=SOURCE, source_seed=7)


def test_every_measurement_of_the_asked_queries_stands_once() -> None:
    rows = table(EVALUATIONS)
    assert list(rows) == list(DICTIONARY)
    assert len(rows) == 3 * (2 + 2 + 2)
    assert set(rows["query"]) == {"q000", "q001"}
    assert not rows.duplicated(["method", "query", "k", "training_seed", "measure"]).any()
    mse = rows[(rows["measure"] == "mse") & (rows["method"] == "mine")]
    assert mse["value"].tolist() == [1.0, 1.4]


def test_seeds_and_random_sets_are_told_apart() -> None:
    rows = table(EVALUATIONS)
    by = {method: rows[rows["method"] == method] for method in ("random", "no_removal", "mine")}
    assert set(by["random"]["training_seed"]) == {7}  # paired with the source model
    assert set(by["random"]["removal_set"]) == {3}
    assert set(by["no_removal"]["training_seed"]) == {5}
    assert by["mine"]["removal_set"].isna().all()


def test_a_measurement_that_is_no_number_is_refused_by_name() -> None:
    broken = evaluation("mine", 10, 7, {"q001": float("nan")})
    with pytest.raises(InputError, match=r"file0.json: delta_loss of query q001 is nan"):
        table([broken])


def test_the_evaluation_error_is_that_of_the_mean_over_noise_drawn_again() -> None:
    rng = np.random.default_rng(0)
    trend = 5 * np.sin(np.linspace(0, 3, 200))  # ΔL changes with the timestep; that is no noise
    studies = [trend + 0.3 * rng.standard_normal(200) for _ in range(2000)]
    true = np.std([study.mean() for study in studies])
    estimated = np.sqrt(np.mean([evaluation_error(study) ** 2 for study in studies]))
    assert estimated == pytest.approx(true, rel=0.05)
    assert np.std(studies[0], ddof=1) / np.sqrt(200) > 3 * true  # what the trend would add


def test_the_dictionary_explains_every_column() -> None:
    assert dictionary()["column"].tolist() == list(table(EVALUATIONS))
    assert dictionary()["meaning"].str.len().min() > 20
