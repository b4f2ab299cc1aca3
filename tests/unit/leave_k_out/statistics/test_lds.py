"""The linear datamodeling score and agreement of rankings against SciPy."""

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.lds import (
    agreement,
    lds,
    lds_table,
    rank_correlations,
    summed_scores,
)
from studies import arms_from


def test_rank_correlations_equal_scipy_s_with_ties() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.integers(0, 5, (2, 7, 12)).astype(float)
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert rank_correlations(a, b) == pytest.approx(expected)
    assert rank_correlations(np.ones(5), np.arange(5.0)) == 0


def test_the_lds_is_1_for_scores_that_predict_every_removal() -> None:
    rng = np.random.default_rng(7)
    scores = rng.standard_normal((6, 40))
    sets = [rng.choice(40, 10, replace=False) for _ in range(12)]
    effects = np.stack([[row[rows].sum() for rows in sets] for row in scores])
    predicted = np.stack([summed_scores(row.astype(np.float32), sets) for row in scores])
    assert float(lds(effects, predicted, resamples=50).value) == pytest.approx(1)
    assert float(lds(effects, -predicted, resamples=50).value) == pytest.approx(-1)


def test_its_error_is_the_scatter_over_studies_of_other_queries_and_models() -> None:
    """What a model does to all queries alike makes most of it."""
    rng = np.random.default_rng(8)

    def drawn() -> tuple[np.ndarray, np.ndarray]:
        predicted = rng.standard_normal(30) + rng.standard_normal((12, 30))
        noise = 1.5 * rng.standard_normal(30) + rng.standard_normal((12, 30))
        return predicted + noise, predicted

    found = [lds(*drawn(), resamples=200, seed=seed) for seed in range(120)]
    true = np.std([e.value for e in found])
    error = np.sqrt(np.mean([e.error**2 for e in found]))
    assert error == pytest.approx(true, rel=0.15)
    assert np.sqrt(np.mean([e.query_error**2 for e in found])) < 0.7 * true


def test_its_interval_ends_at_1() -> None:
    rng = np.random.default_rng(9)
    measured = rng.standard_normal((3, 5))
    predicted = measured + 0.5 * rng.standard_normal((3, 5))
    assert lds(measured, predicted, resamples=100).high > 1
    arms = arms_from({"m": np.zeros(3)}, {10: measured})
    [row] = lds_table(arms, {("m", 10): list(predicted)}, resamples=100).to_dict("records")
    assert row["lds"] == rank_correlations(measured, predicted).mean()
    assert -1 <= row["low"] < row["lds"] < row["high"] == 1


def test_agreement_of_two_rankings_has_an_exact_p_value() -> None:
    names = "abcde"
    ranking = dict(zip(names, range(5), strict=True))
    assert agreement(ranking, ranking) == pytest.approx((1, 2 / 120))
    assert np.isnan(agreement({"a": 1.0}, {"a": 1.0})).all()
