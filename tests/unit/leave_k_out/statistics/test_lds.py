"""The linear datamodeling score and agreement of rankings against SciPy."""

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.lds import agreement, lds, rank_correlations, summed_scores


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


def test_agreement_of_two_rankings_has_an_exact_p_value() -> None:
    names = "abcde"
    ranking = dict(zip(names, range(5), strict=True))
    assert agreement(ranking, ranking) == pytest.approx((1, 2 / 120))
    assert np.isnan(agreement({"a": 1.0}, {"a": 1.0})).all()
