"""Alpha spending against published boundaries and simulation."""

import numpy as np
import pytest
from scipy import stats

from leavekout.statistics.looks import boundaries, sequential, spent


@pytest.mark.parametrize(
    "published", [[2.963, 1.969], [3.710, 2.511, 1.993], [4.333, 2.963, 2.359, 2.014]]
)
def test_boundaries_are_those_of_lan_and_demets(published: list[float]) -> None:
    """O'Brien and Fleming's spending, equally spaced looks, two-sided level 0.05."""
    fractions = [(i + 1) / len(published) for i in range(len(published))]
    assert boundaries(0.05, fractions) == pytest.approx(published, abs=6e-4)


def test_all_errors_are_spent_at_the_end_and_few_before() -> None:
    assert spent(0.05, 1.0) == pytest.approx(0.05)
    assert spent(0.05, 0.5) == pytest.approx(2 * stats.norm.sf(2.963), rel=2e-3)


@pytest.mark.parametrize("level", [0.2, 0.01, 0.05 / 136])
def test_a_sequential_p_value_is_at_most_a_level_where_the_boundary_is_crossed(
    level: float,
) -> None:
    looks = [12, 24, 40]
    for look, z in zip(looks, boundaries(level, [n / 40 for n in looks]), strict=True):
        p = np.asarray(2 * stats.norm.sf([z * 0.98, z, z * 1.02]))
        found = sequential(p, look, looks)
        assert found[0] > level > found[2]
        assert found[1] == pytest.approx(level, rel=0.01)


def test_p_values_of_all_looks_together_are_below_5_per_cent_as_often_as_promised() -> None:
    looks, studies = [10, 20, 40], 40_000
    steps = np.random.default_rng(0).standard_normal((studies, 40)).cumsum(axis=1)
    p = [2 * stats.norm.sf(np.abs(steps[:, n - 1]) / np.sqrt(n)) for n in looks]
    corrected = [sequential(values, n, looks) for values, n in zip(p, looks, strict=True)]
    assert np.mean(np.min(corrected, axis=0) <= 0.05) == pytest.approx(0.05, abs=0.004)
    assert np.mean(np.min(p, axis=0) <= 0.05) > 0.09  # uncorrected
    assert all((c >= q).all() for c, q in zip(corrected, p, strict=True))
    assert np.isnan(sequential(np.array([np.nan]), 10, looks)).all()
