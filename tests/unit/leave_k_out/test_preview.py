"""Previews: agreement with other methods, and what is noticed about scores that are valid."""

import numpy as np
import pandas as pd
import pytest

from leavekout.leave_k_out.preview import (
    Preview,
    agreements,
    chance,
    doubts,
    largest_sets,
    lds_of,
)
from leavekout.leave_k_out.statistics.arms import Arms

IMAGES, QUERIES, K = 500, 4, 50


@pytest.fixture
def others() -> dict[str, np.ndarray]:
    """Three methods that agree in part, as methods do."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((QUERIES, IMAGES))
    return {name: truth + rng.standard_normal(truth.shape) for name in ("a", "b", "c")}


def test_agreement_is_spearman_s_and_the_share_of_the_top_in_common() -> None:
    mine = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4]])
    other = np.array([[4.0, 3, 1, 2], [4, 3, 2, 1]])
    [row] = agreements(mine, {"other": other}, 2).to_dict("records")
    # By 1 − 6 Σ d² / (n (n² − 1)): 1 − 6 · 2 / 60 = 0.8, and −1.
    assert row["rank_correlation"] == pytest.approx((0.8 - 1) / 2)
    assert row["overlap"] == pytest.approx((1 + 0) / 2)


def test_chance_is_three_standard_deviations_of_unrelated_rankings() -> None:
    rng = np.random.default_rng(1)
    pairs = rng.standard_normal((2, 2000, IMAGES)).argsort().argsort()
    found = [np.corrcoef(a, b)[0, 1] for a, b in zip(*pairs, strict=True)]
    assert chance(IMAGES) == pytest.approx(3 * np.std(found), rel=0.05)


def found(mine: np.ndarray, others: dict[str, np.ndarray]) -> str:
    return " ".join(doubts(mine, agreements(mine, others, K), K))


def test_nothing_is_said_of_scores_that_look_right(others: dict[str, np.ndarray]) -> None:
    assert found(others["a"], {name: others[name] for name in ("b", "c")}) == ""


def test_a_turned_sign_is_noticed(others: dict[str, np.ndarray]) -> None:
    said = found(-others["a"], {name: others[name] for name in ("b", "c")})
    assert said.startswith("The scores rank images against 2 of 2 methods: is their sign turned?")


def test_rows_in_another_order_and_queries_mixed_up_are_noticed(
    others: dict[str, np.ndarray],
) -> None:
    rows = np.random.default_rng(2).permutation(IMAGES)
    for mine in (others["a"][:, rows], np.roll(others["a"], 1, axis=0)):
        assert found(mine, others).startswith("The scores agree with no method's more than chance")


def test_a_method_is_no_stranger_if_one_other_agrees(others: dict[str, np.ndarray]) -> None:
    unrelated = np.random.default_rng(3).standard_normal((QUERIES, IMAGES))
    assert found(others["a"], {"unrelated": unrelated, "b": others["b"]}) == ""


def test_ties_at_k_and_equal_queries_are_noticed(others: dict[str, np.ndarray]) -> None:
    mine = others["a"].copy()
    mine[1] = np.where(np.arange(IMAGES) < 60, 1e6, mine[1])  # 60 images for 50 places
    assert "For 1 of 4 queries the last of the top 50 is tied with up to 10" in found(mine, others)
    same = np.tile(others["a"][0], (QUERIES, 1))
    assert "All queries have the same scores." in found(same, others)


def arms(models: dict[int, int], measured: np.ndarray | None = None) -> Arms:
    random = {
        k: np.zeros((QUERIES, n)) if measured is None else measured for k, n in models.items()
    }
    sets = {k: np.arange(n) for k, n in models.items()}
    return Arms({}, random, sets, np.empty((0, 0)), {}, np.arange(QUERIES).astype(str))


def test_lds_takes_the_k_with_most_random_models_or_none() -> None:
    assert largest_sets(arms({50: 10, 250: 20, 100: 10})) == 250
    assert largest_sets(arms({50: 10, 100: 10})) == 100
    assert largest_sets(arms({50: 3, 100: 2})) is None


def test_lds_is_one_for_scores_that_add_up_to_the_effects() -> None:
    rng = np.random.default_rng(4)
    scores = rng.standard_normal((QUERIES, IMAGES))
    sets = [rng.permutation(IMAGES)[:250] for _ in range(6)]
    effects = np.stack([[by[rows].sum() for rows in sets] for by in scores])
    table = lds_of({"mine": scores, "turned": -scores}, arms({250: 6}, effects), sets, 250)
    assert dict(zip(table["method"], table["lds"], strict=True)) == {"mine": 1, "turned": -1}
    assert set(table["n_models"]) == {6}


def test_the_text_has_the_table_repeatability_and_doubts(others: dict[str, np.ndarray]) -> None:
    mine = others.pop("a")
    agreement = agreements(mine, others, K)
    repeats = pd.DataFrame([{"overlap": 0.912, "k": K, "rank_correlation": 0.954}])
    lds = pd.DataFrame(
        [(250, name, QUERIES, 6, 0.51, 0.31, 0.71) for name in ("mine", "b", "c")],
        columns=["k", "method", "n_queries", "n_models", "lds", "low", "high"],
    )
    about = ("mine", "study", QUERIES, IMAGES, K, agreement)
    text = Preview(*about, lds, repeats, ["A doubt."]).text()
    assert "select 91% of its top 50 again (rank correlation 0.95)" in text
    assert text.count("0.51 (0.31 to 0.71)") == 3
    assert "Check: A doubt." in text
    assert "look right" not in text
    assert "10.0% of the top in common" in text  # 50 of 500, by chance
    plain = Preview(*about, None, None, []).text()
    assert "too few random models" in plain
    assert "look right" in plain
