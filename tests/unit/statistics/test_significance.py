"""Corrections of tests, and the test of skewed differences, against definitions and SciPy."""

import numpy as np
import pytest
from scipy import stats

from leavekout.statistics.significance import corrected, holm, skewed_t_test


def test_skewed_differences_are_found_in_5_per_cent_of_studies_without_any() -> None:
    rng = np.random.default_rng(13)
    skewed = rng.gamma(1, size=(20_000, 40)) - 1  # skewness 2
    plain = stats.ttest_1samp(skewed, 0, axis=1).pvalue
    ours = skewed_t_test(skewed)
    assert np.mean(plain <= 0.01) > 0.02
    assert np.mean(ours <= 0.01) == pytest.approx(0.01, abs=0.005)
    normal = skewed_t_test(rng.standard_normal((20_000, 40)))
    assert np.mean(normal <= 0.05) == pytest.approx(0.05, abs=0.01)
    same, none = np.full((1, 5), 2.0), np.zeros((1, 5))
    assert [skewed_t_test(d)[0] for d in (same, none)] == [0, 1]
    assert skewed_t_test(same[:, :2])[0] == 1


def test_without_skewness_halls_test_is_student_s() -> None:
    symmetric = 0.3 + np.array([-1.5, -0.7, -0.2, 0.2, 0.7, 1.5])
    expected = stats.ttest_1samp(symmetric, 0).pvalue
    assert skewed_t_test(symmetric[None]) == pytest.approx(expected)


def test_hall_s_transformation_is_his_cube() -> None:
    """x + g x² / 3 + g² x³ / 27 = ((1 + g x / 3)³ − 1) / g."""
    values = np.array([0.1, 0.4, 3.0, -0.2, 0.6])
    x, g = values.mean() / values.std(ddof=1), stats.skew(values)
    t = np.sqrt(5) * (((1 + g * x / 3) ** 3 - 1) / g + g / (6 * 5))
    assert skewed_t_test(values[None]) == pytest.approx(2 * stats.t.sf(t, 4))


def test_holm_equals_its_definition() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    expected, running = np.empty(4), 0.0
    for step, index in enumerate(np.argsort(p)):
        running = max(running, (4 - step) * p[index])
        expected[index] = min(1, running)
    assert holm(p) == pytest.approx(expected)
    with_nan = holm(np.array([0.01, np.nan]))
    assert with_nan[0] == 0.02
    assert np.isnan(with_nan[1])


def test_a_study_that_is_looked_at_twice_is_corrected_for_that_and_for_its_tests() -> None:
    p = np.array([1e-4, 0.012, 0.4])
    once = corrected(p, queries=20, looks=None)
    assert once == pytest.approx(holm(p))
    early = corrected(p, queries=20, looks=[20, 40])
    assert (early >= once).all()
    assert early[1] > 0.05 > once[1]
    late = corrected(p, queries=40, looks=[20, 40])
    assert late[:2] == pytest.approx(once[:2], rel=0.1)
    assert (late >= once).all()
