"""Tests of paired differences and their corrections against brute force and SciPy."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from leavekout.statistics.significance import holm, paired_tests, sign_flips, skewed_t_test


def test_sign_flips_equal_a_brute_force_count() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (3, 9))
    flips = np.array(list(product([-1, 1], repeat=9)))
    p_values, _ = sign_flips(differences, resamples=1000)
    for row, p in zip(differences, p_values, strict=True):
        means = (flips * row).mean(axis=1)
        assert p == pytest.approx((abs(means) >= abs(row.mean()) - 1e-12).mean())


def test_the_correction_is_westfall_and_young_s_step_down_maximum() -> None:
    """Against its definition: the largest t of those not yet rejected, with every flip."""
    rng = np.random.default_rng(12)
    cells = rng.normal([0, 0.5, 1.5], 1, (9, 3))
    differences = np.stack([cells[:, a] - cells[:, b] for a, b in ((2, 0), (1, 0), (2, 1))])
    flips = np.array(list(product([-1, 1], repeat=9)))
    t = np.abs(stats.ttest_1samp(flips[:, None] * differences, 0, axis=2).statistic)  # [B, P]
    found = np.abs(stats.ttest_1samp(differences, 0, axis=1).statistic)
    expected, running = np.empty(3), 0.0
    order = np.argsort(-found)
    for place, test in enumerate(order):
        largest = t[:, order[place:]].max(axis=1)
        running = max(running, (largest >= found[test] * (1 - 1e-9)).mean())
        expected[test] = running
    p_values, corrected = sign_flips(differences, resamples=1000)
    assert corrected == pytest.approx(expected)
    assert (corrected >= p_values).all()
    assert (corrected <= holm(p_values) + 1e-12).all()


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
    both = paired_tests(same, resamples=100)
    assert both[0] == both[1] == 2 / 2**5


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


def test_a_difference_has_to_pass_every_test() -> None:
    differences = np.random.default_rng(0).gamma(0.3, size=(6, 8)) - 0.1
    flipped, corrected = sign_flips(differences, resamples=1000)
    of_t = skewed_t_test(differences)
    assert (flipped > of_t).any()
    assert (flipped < of_t).any()
    p_values, of_all = paired_tests(differences, resamples=1000)
    assert (p_values >= np.maximum(flipped, of_t)).all()
    assert (of_all >= np.maximum(corrected, holm(of_t))).all()
    also = np.array([1.0, 0, 0, 0, 0, 0])
    by_another, _ = paired_tests(differences, resamples=1000, also=also)
    assert by_another == pytest.approx(np.r_[1, p_values[1:]])


def test_drawn_flips_come_near_all_flips() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (3, 14))
    every, drawn = (sign_flips(differences, resamples=n) for n in (2**13, 5000))
    assert drawn[0] == pytest.approx(every[0], abs=0.02)
    assert drawn[1] == pytest.approx(every[1], abs=0.02)


def test_holm_equals_its_definition() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    expected, running = np.empty(4), 0.0
    for step, index in enumerate(np.argsort(p)):
        running = max(running, (4 - step) * p[index])
        expected[index] = min(1, running)
    assert holm(p) == pytest.approx(expected)
