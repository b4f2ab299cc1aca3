"""The bulk of scores against SciPy's density and NumPy's polynomial fit, and on made-up scores."""

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.snr import beyond_noise, bulk_width


def test_the_width_is_that_of_a_weighted_parabola_through_the_log_density() -> None:
    scores = np.random.default_rng(0).standard_t(4, 500)
    iqr, deviation = stats.iqr(scores), stats.median_abs_deviation(scores)
    bandwidth = 0.9 * min(np.std(scores, ddof=1), iqr / 1.34) * 500**-0.2
    density = stats.gaussian_kde(scores, bandwidth / np.std(scores, ddof=1))
    x = np.linspace(-1.4826 * deviation, 1.4826 * deviation, 101)
    f = density(x)
    parabola = np.polynomial.polynomial.polyfit(x**2, np.log(f), 1, w=np.sqrt(f))
    assert bulk_width(scores) == pytest.approx(np.sqrt(-1 / (2 * parabola[1])), rel=1e-6)


def test_noise_has_its_own_width_and_the_few_scores_beyond_it_are_kept() -> None:
    rng = np.random.default_rng(1)
    scores = rng.standard_normal(5000)
    assert bulk_width(scores) == pytest.approx(1, rel=0.1)
    scores[[3, 70]] = 40.0, -30.0
    kept = beyond_noise(scores.astype(np.float32))
    assert {3, 70} <= set(np.flatnonzero(kept))
    assert (kept != 0).sum() < 50
    assert kept[3] / kept[70] == pytest.approx(-4 / 3)
    assert kept[4] == 0


@pytest.mark.parametrize("scores", [np.linspace(4, 9, 300), np.repeat([0.0, 1.0], [290, 10])])
def test_scores_without_a_bulk_about_0_predict_nothing(scores: np.ndarray) -> None:
    assert np.isnan(bulk_width(scores))
    assert np.isnan(beyond_noise(scores)).all()
