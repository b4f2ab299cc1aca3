"""Repeatability: whole scorings, predicted from two halves."""

import numpy as np
import pytest

from leavekout.leave_k_out.statistics.repeatability import (
    of_the_whole,
    overlap,
    overlap_of_the_whole,
    repeatability_table,
)


def test_the_overlap_is_of_the_top_k() -> None:
    first, second = np.array([5.0, 4, 3, 2, 1, 0]), np.array([5.0, 1, 4, 3, 0, 2])
    assert overlap(first, second, 3) == pytest.approx(2 / 3)
    assert overlap(first, first, 3) == 1


def test_the_worst_and_the_best_agreement_of_halves_is_the_whole_s() -> None:
    assert overlap_of_the_whole(1.0, 0.05) == 1
    assert overlap_of_the_whole(0.05, 0.05) == 0.05
    assert overlap_of_the_whole(0.0, 0.05) == 0
    assert of_the_whole(1.0) == 1
    assert of_the_whole(-0.2) == -0.2


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_halves_predict_how_well_whole_scorings_agree(noise: float) -> None:
    rng = np.random.default_rng(6)
    images, k = 20_000, 1000
    true = rng.standard_normal(images)
    # Four halves; the means of two each are two whole scorings.
    halves = true + noise * rng.standard_normal((4, images))
    [row] = repeatability_table([("m", "q000", halves[:2])], [k]).to_dict("records")
    wholes = halves.reshape(2, 2, images).mean(axis=1)
    assert row["overlap"] == pytest.approx(overlap(wholes[0], wholes[1], k), abs=0.06)
    correlation = np.corrcoef(wholes)[0, 1]
    assert row["rank_correlation"] == pytest.approx(correlation, abs=0.03)
    assert row["overlap_halves"] < row["overlap"]


def test_a_row_is_the_mean_over_queries_and_methods_without_halves_have_none() -> None:
    rng = np.random.default_rng(7)
    one, two = rng.standard_normal((2, 50)), np.tile(rng.standard_normal(50), (2, 1))
    alone = repeatability_table([("m", "q000", one)], [5, 10])
    none = np.full((2, 50), np.nan)
    both = repeatability_table(
        [("m", "q000", one), ("m", "q001", two), ("n", "q000", none)], [5, 10]
    )
    assert both["method"].tolist() == ["m", "m"]
    assert both["n_queries"].tolist() == [2, 2]
    np.testing.assert_allclose(both["overlap"], (alone["overlap"] + 1) / 2)
    np.testing.assert_allclose(both["overlap_lowest"], alone["overlap"])
    np.testing.assert_allclose(both["overlap_error"], (1 - alone["overlap"]) / 2)
