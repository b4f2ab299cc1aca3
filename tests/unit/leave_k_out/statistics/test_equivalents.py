"""Random equivalents against isotonic regression and curves with a known answer."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.arms import Arms
from leavekout.leave_k_out.statistics.equivalents import (
    Curves,
    equivalents_table,
    monotone,
    random_curve,
)
from studies import arms_from, study


def test_the_monotone_curve_is_isotonic_regression_shrunk_to_the_centres_of_its_pieces() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        ks, models = np.arange(1.0, 9), rng.integers(1, 9, 8).astype(float)
        values = ks + 4 * rng.standard_normal(8)
        # With values bounded by 0, as the known origin bounds them.
        whole = IsotonicRegression(y_min=0).fit_transform(ks, values, sample_weight=models)
        x, y = monotone(ks, values, models)
        assert (x[0], y[0]) == (0, 0)
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) >= 0).all()
        assert y[1:] == pytest.approx(np.unique(whole), abs=1e-9)
        for level, centre in zip(y[1:], x[1:], strict=True):
            piece = np.isclose(whole, level)
            assert centre == pytest.approx(np.average(ks[piece], weights=models[piece]))


def test_noise_at_the_smallest_k_does_not_lift_the_curve() -> None:
    rng = np.random.default_rng(5)
    ks, models = np.array([250.0, 500, 1000, 2000]), np.ones(4)

    def drawn() -> np.ndarray:
        return ks / 1000 + 0.6 * rng.standard_normal((4000, 4))

    found = [np.interp(500.0, *monotone(ks, values, models)) for values in drawn()]
    # Without values below 0, the mean would be biased upwards.
    kept = [
        np.interp(500.0, *monotone(ks[v > 0], v[v > 0], models[v > 0]))
        for v in drawn()
        if (v > 0).any()
    ]
    assert abs(np.mean(found) - 0.5) < abs(np.mean(kept) - 0.5)


def test_a_random_equivalent_is_where_the_curve_has_the_method_s_effect() -> None:
    ks = (100, 200, 400)
    noise = np.random.default_rng(5).standard_normal((30, 6))
    noise -= noise.mean()
    random = {k: k / 100 + 0.05 * noise for k in ks}
    cell = 3 + 0.05 * np.linspace(-1, 1, 30)
    curve = random_curve(arms_from({"m": cell}, random), measure("delta_loss"))
    curves = Curves(curve, np.arange(30), 400)
    found = curves.equivalent(cell)
    assert found["equivalent"] == pytest.approx(300, abs=1e-6)
    assert found["low"] < 300 < found["high"]
    assert not found["high_censored"]
    over = curves.equivalent(cell + 5)
    assert over["equivalent"] == 400
    assert over["equivalent_censored"]
    assert over["low_censored"]
    none = curves.equivalent(cell - 4)
    assert (none["equivalent"], none["equivalent_censored"]) == (0.0, False)


def test_an_equivalent_is_the_same_by_measures_that_rise_and_that_fall() -> None:
    """One image has an effect of 0.05, the method `bad` one of 1."""
    table = equivalents_table(study(queries=20, ks=(10, 40)), resamples=50)
    found = table[table["method"] == "bad"].set_index("measure")["equivalent"]
    assert found.to_dict() == pytest.approx(dict.fromkeys(found.index, 20), rel=0.1)
    assert len(found) == 3


def test_the_curve_is_a_weighted_mean_over_queries_and_sets() -> None:
    rng = np.random.default_rng(6)
    random = {10: rng.random((4, 2)), 20: rng.random((4, 3))}
    curve = random_curve(arms_from({"m": np.zeros(4)}, random), measure("delta_loss"))
    queries, sets = rng.random((5, 4)), rng.random((5, 3))
    found = curve.means(queries, sets)
    for place, k in enumerate((10, 20)):
        weights = sets[:, curve.number[curve.columns[k]]]
        for b in range(5):
            by_set = np.average(random[k], axis=0, weights=queries[b])
            assert found[b, place] == pytest.approx(np.average(by_set, weights=weights[b]))


def test_an_interval_reaches_the_last_k_that_cannot_be_told_apart() -> None:
    """The curve is above the method's 4 at K = 100, and uncertain at 200."""
    rng = np.random.default_rng(7)
    sets = rng.standard_normal(6)
    sets = (sets - sets.mean()) / sets.std()
    noise = 0.02 * rng.standard_normal((30, 6))
    random = {100: 5 + noise, 200: 6 + 2.5 * sets + noise}
    cell = 4 + 0.02 * rng.standard_normal(30)
    curve = random_curve(arms_from({"m": cell}, random), measure("delta_loss"))
    found = Curves(curve, np.arange(30), 400).equivalent(cell)
    assert found["equivalent"] == pytest.approx(80, abs=1)
    assert (found["high"], found["high_censored"]) == (200, True)


def test_sets_of_one_number_are_resampled_together_and_others_alone() -> None:
    values = np.zeros((4, 3))
    arms = Arms(
        effects={},
        random={10: values, 20: values, 50: np.zeros((4, 5))},
        sets={10: np.arange(3), 20: np.arange(3), 50: np.arange(5)},
        floor=np.empty((0, 0)),
        evaluation={},
        clusters=np.arange(4),
    )
    sweep = random_curve(arms, measure("delta_loss"))
    assert sorted(sweep.groups) == [2, 3]
    assert sweep.values.shape == (4, 11)
    numbers = {k: sweep.number[columns].tolist() for k, columns in sweep.columns.items()}
    assert numbers[10] == numbers[20]
    assert set(numbers[10]) < set(numbers[50])
