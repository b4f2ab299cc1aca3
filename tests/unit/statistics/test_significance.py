"""Corrections of tests, and the test of skewed differences, against definitions and SciPy."""

import numpy as np
import pytest
from scipy import stats

from leavekout.statistics.paired import paired_means
from leavekout.statistics.significance import corrected, holm, p_values


def p_of(differences: np.ndarray, clusters: np.ndarray | None = None) -> np.ndarray:
    return np.concatenate(
        [p_values(paired_means(row[None], clusters), row[None], clusters) for row in differences]
    )


def test_skewed_differences_are_found_in_5_per_cent_of_studies_without_any() -> None:
    rng = np.random.default_rng(13)
    skewed = rng.gamma(1, size=(4000, 40)) - 1  # skewness 2
    plain = stats.ttest_1samp(skewed, 0, axis=1).pvalue
    assert np.mean(plain <= 0.01) > 0.02
    assert np.mean(p_of(skewed) <= 0.01) == pytest.approx(0.01, abs=0.005)
    normal = p_of(rng.standard_normal((4000, 40)))
    assert np.mean(normal <= 0.05) == pytest.approx(0.05, abs=0.012)


def test_without_skewness_or_variance_the_test_is_student_s() -> None:
    symmetric = 0.3 + np.array([-1.5, -0.7, -0.2, 0.2, 0.7, 1.5])
    expected = stats.ttest_1samp(symmetric, 0).pvalue
    assert p_of(symmetric[None])[0] == pytest.approx(expected)
    assert p_of(np.array([[2.0] * 5, [0.0] * 5])).tolist() == [0, 1]
    assert np.isnan(p_of(np.ones((1, 4)), np.zeros(4)))


def test_the_larger_of_student_s_test_and_hall_s_cube_counts() -> None:
    """t + g t² / 3√n + g² t³ / 27n = √n ((1 + g x / 3)³ − 1) / g with x = t / √n."""
    values = np.array([0.1, 0.4, 3.0, -0.2, 0.6])
    for sign in (1, -1):  # g at the side of the mean, or at the other
        row = 1.5 + sign * values
        x, g = row.mean() / row.std(ddof=1), stats.skew(row)
        t = np.sqrt(5) * (((1 + g * x / 3) ** 3 - 1) / g + g / (6 * 5))
        hall, student = 2 * stats.t.sf(abs(t), 4), stats.ttest_1samp(row, 0).pvalue
        assert (hall > student) == (sign < 0)
        assert p_of(row[None])[0] == pytest.approx(max(hall, student))
        twice = p_of(np.repeat(row, 2)[None], np.repeat(np.arange(5), 2))
        assert twice[0] == pytest.approx(max(hall, student))


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
