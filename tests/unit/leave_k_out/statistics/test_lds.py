"""The linear datamodeling score and agreement of rankings against SciPy."""

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.lds import (
    agreement,
    interval_over_methods,
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
    assert agreement(ranking, ranking)[:2] == pytest.approx((1, 2 / 120))
    assert np.isnan(agreement({"a": 1.0}, {"a": 1.0})).all()
    unknown = {**ranking, "a": np.nan}
    assert agreement(unknown, ranking).p == pytest.approx(2 / 24)  # of the four others


def test_the_interval_of_an_agreement_contains_the_true_correlation_of_rankings() -> None:
    """Of 8 methods from a bivariate normal law, whose rank correlation is 6 asin(r / 2) / π."""
    rng, r = np.random.default_rng(10), 0.85
    true = 6 / np.pi * np.arcsin(r / 2)
    drawn = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], (2000, 8))
    ends = [interval_over_methods(rho, 8) for rho in rank_correlations(*np.moveaxis(drawn, 2, 0))]
    assert 0.94 <= np.mean([low <= true <= high for low, high in ends]) <= 0.985


@pytest.mark.parametrize("methods", [4, 8])
def test_the_interval_of_equal_orders_has_a_width(methods: int) -> None:
    """As one about the nearest other correlation, 1 − 6 · 2 / n (n² − 1), and up to 1."""
    orders = np.arange(methods)
    swapped = np.r_[1, 0, orders[2:]]
    [near] = rank_correlations(orders[None], swapped[None])
    low, high = interval_over_methods(1.0, methods)
    assert high == 1
    assert low == pytest.approx(interval_over_methods(near, methods)[0])
    assert interval_over_methods(-1.0, methods) == pytest.approx((-1, -low))


def test_snr_lds_is_the_lds_of_queries_whose_scores_have_a_bulk() -> None:
    rng = np.random.default_rng(11)
    measured, plain, clear = rng.standard_normal((3, 6, 5))
    arms = arms_from({"m": np.zeros(6)}, {10: measured})
    few, many = clear.copy(), clear.copy()
    few[:4], many[:3] = np.nan, np.nan
    for values, known in ((few, 2), (many, 3)):
        table = lds_table(arms, {("m", 10): plain}, {("m", 10): values}, resamples=20)
        [row] = table.to_dict("records")
        assert row["snr_queries"] == known
        assert row["lds"] == rank_correlations(measured, plain).mean()
        if known == 2:
            assert np.isnan(row["snr_lds"])
        else:
            expected = rank_correlations(measured[3:], clear[3:]).mean()
            assert row["snr_lds"] == pytest.approx(expected)
