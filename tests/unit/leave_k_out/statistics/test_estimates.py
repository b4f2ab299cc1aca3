"""Means, excesses and their intervals against closed forms, simulation and Student's t."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leavekout.base.errors import InputError
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.arms import arms_of
from leavekout.leave_k_out.statistics.comparisons import compare
from leavekout.leave_k_out.statistics.estimates import (
    estimates_table,
    mean_of_shared,
    mean_over_queries,
    over_own,
)
from leavekout.report.text import keyed
from leavekout.statistics.paired import paired_means
from leavekout.statistics.resampling import Estimate
from leavekout.statistics.significance import p_values
from studies import arms_from, study


def test_without_shared_models_the_interval_is_student_s() -> None:
    cell = np.random.default_rng(0).gamma(2, size=9)
    ours = mean_over_queries(cell)
    expected = stats.ttest_1samp(cell, 0).confidence_interval(0.95)
    assert ours.value == pytest.approx(cell.mean())
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high))
    assert ours.p_value() == pytest.approx(stats.ttest_1samp(cell, 0).pvalue)


def test_the_error_of_a_crossed_mean_is_the_sum_of_its_variance_components() -> None:
    """Against the standard deviation over many studies drawn from known variances."""
    rng = np.random.default_rng(1)
    queries, sets, sq, ss, si = 15, 6, 1.0, 0.8, 1.2

    def draw() -> np.ndarray:
        return (
            sq * rng.standard_normal((queries, 1))
            + ss * rng.standard_normal((1, sets))
            + si * rng.standard_normal((queries, sets))
        )

    true = np.sqrt(sq**2 / queries + ss**2 / sets + si**2 / queries / sets)
    errors = [float(mean_of_shared(draw()).error) for _ in range(300)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(true, rel=0.06)


def test_the_excess_is_paired_and_knows_that_all_queries_share_the_random_models() -> None:
    rng = np.random.default_rng(2)
    query, shared = 5 * rng.standard_normal((20, 1)), rng.standard_normal((1, 5))
    random = query + shared
    cell = query[:, 0] + 1.0
    found = paired_means((cell - random.mean(axis=1))[None], shared=random)[0]
    assert found.value == pytest.approx(1.0 - shared.mean())
    assert found.query_error == pytest.approx(0, abs=1e-9)  # what naive errors see
    assert found.error == pytest.approx(shared.std(ddof=1) / np.sqrt(5))
    assert found.freedom == pytest.approx(4)


def test_intervals_state_whether_they_cover_models_and_one_query_has_none() -> None:
    table = estimates_table(study(sets=1))
    methods = table[table["method"].isin(["good", "bad"])]
    assert set(methods["covers"]) == {"queries"}
    assert set(estimates_table(study())["covers"]) == {"queries and models"}
    alone = estimates_table(study(queries=1))
    assert alone[["mean_low", "excess_low", "p"]].isna().all(axis=None)


def test_estimates_are_the_plain_means() -> None:
    measurements = study()
    table = keyed(estimates_table(measurements), "measure", "k", "method")
    for name in ("delta_loss", "mse", "clip"):
        rows = measurements[measurements["measure"] == name]
        by_query = rows.groupby(["method", "k", "query"])["value"].mean()
        good, random = by_query["good", 10], by_query["random", 10]
        row = table[name, 10, "good"]
        assert row["excess"] == pytest.approx((good - random).mean())
        assert row["mean"] == pytest.approx(good.mean())
        assert row["better"] == 1.0
        assert row["excess_low"] < row["excess"] < row["excess_high"]
        assert row["p"] <= row["p_corrected"] <= 2 * row["p"]
        assert row["p"] < 1e-5


def test_the_excess_over_topic_removal_is_paired_with_a_query_s_own_sets() -> None:
    """Against t-tests over queries, or over clusters of equal size, of one method alone."""
    for alike in (1, 3):
        measurements = study(queries=9, topic_sets=3, alike=alike, measures=("mse",))
        measurements = measurements[measurements["method"] != "bad"]
        rows = measurements[measurements["k"] == 10]
        of_query = rows.groupby(["method", "query"])["value"].mean()
        differences = (of_query["good"] - of_query["topic"]).to_numpy()
        by_cluster = differences.reshape(-1, alike).mean(axis=1)
        row = keyed(estimates_table(measurements), "method")["good",]
        plain = stats.ttest_1samp(by_cluster, 0)
        interval = plain.confidence_interval(0.95)
        found = row["topic_excess_low"], row["topic_excess_high"]
        assert row["topic_excess"] == pytest.approx(differences.mean())
        assert found == pytest.approx((interval.low, interval.high))
        estimate = paired_means(differences[None], np.arange(9) // alike)
        expected = p_values(estimate, differences[None], np.arange(9) // alike)[0]
        assert row["topic_p"] == pytest.approx(expected)
        assert expected >= plain.pvalue * (1 - 1e-9)


def test_a_method_may_beat_random_removal_and_not_topic_removal() -> None:
    measurements = study(topic_sets=2)
    table = keyed(estimates_table(measurements), "measure", "k", "method")
    bad, topic = table["mse", 10, "bad"], table["mse", 10, "topic"]
    assert bad["p_corrected"] < 0.05
    assert bad["excess"] > 0 > bad["topic_excess_high"]
    assert (topic["n_models"], topic["covers"]) == (16, "queries and models")
    assert bad["excess"] - bad["topic_excess"] == pytest.approx(topic["excess"])
    assert topic["excess_low"] < topic["excess"] < topic["excess_high"]


def test_topic_removal_changes_no_other_number() -> None:
    without = study()
    more = study(topic_sets=2)
    more = more[more["method"] == "topic"]
    plain = estimates_table(without)
    table = estimates_table(pd.concat([without, more]))
    table = table[table["method"] != "topic"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table[list(plain)], plain)
    assert not [name for name in plain if str(name).startswith("topic")]


def test_the_interval_over_topic_removal_covers_the_truth() -> None:
    """The noise of a query's own few sets is in the variance between queries."""
    rng, held = np.random.default_rng(3), []
    for _ in range(400):
        query = 2 * rng.standard_normal((15, 1))
        cells = query[:, 0] + 1.0 + rng.standard_normal(15)
        topic = query + 1.5 * rng.standard_normal((15, 2))
        found = mean_over_queries(over_own(cells[None], topic)[0])
        held.append(found.low <= 1.0 <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.033)  # three standard errors


def test_a_p_value_is_of_the_excess_and_knows_that_queries_share_the_random_models() -> None:
    rng = np.random.default_rng(1)
    cells = 0.1 * rng.standard_normal((1, 8))
    below = -1 + 0.1 * rng.standard_normal((8, 5))  # random removal has less effect than none

    def p_of(random: np.ndarray) -> float:
        excesses = cells - random.mean(axis=1)
        return float(p_values(paired_means(excesses, shared=random), excesses)[0])

    assert p_of(below) < 1e-5
    scattered = below + 2 * rng.standard_normal(5)  # in all queries alike
    assert p_of(scattered) > 0.01


def test_p_values_are_corrected_for_all_methods_and_looks() -> None:
    tables = [estimates_table(study(topic_sets=2), looks=looks) for looks in (None, [8, 16])]
    for name in ("", "topic_"):
        once, early = (table.dropna(subset=f"{name}p") for table in tables)
        assert early[f"{name}p"].to_numpy() == pytest.approx(once[f"{name}p"].to_numpy())
        assert (early[f"{name}p_corrected"] > once[f"{name}p_corrected"]).all()
        assert (once[f"{name}p_corrected"] >= once[f"{name}p"]).all()


def test_a_cell_is_the_mean_over_its_training_seeds() -> None:
    first = study(measures=("mse",))
    good = first[first["method"] == "good"]
    second = good.assign(training_seed=1, value=good["value"] + 0.2, evaluation_error=0.03)
    arms = arms_of(pd.concat([first, second]), measure("mse"))
    expected = good.sort_values("query")["value"].to_numpy() + 0.1
    assert arms.effects["good", 10] == pytest.approx(expected)
    assert arms.evaluation["good", 10] == pytest.approx((0.01**2 + 0.03**2) / 2)


def test_a_model_that_was_not_measured_on_every_query_is_refused() -> None:
    measurements = study()
    lost = (measurements["method"] == "bad") & (measurements["query"] == "q003")
    with pytest.raises(InputError, match="lack query q003 for 'bad' at K = 10"):
        arms_of(measurements[~lost], measure("mse"))


def test_intervals_and_tests_have_their_nominal_coverage_and_error() -> None:
    """The study in benchmarks/calibration.py in short: coverage near 95 %, errors near 5 %."""
    rng = np.random.default_rng(11)
    held, false_alarms = [], 0
    for _ in range(150):
        shared = rng.standard_normal((1, 5))
        random = 1 + shared + rng.standard_normal((12, 5))
        cells = {f"m{i}": 3 + 2 * rng.standard_normal(12) for i in range(4)}
        excesses = np.stack(list(cells.values())) - random.mean(axis=1)
        estimates = paired_means(excesses, shared=random)
        held += [bool(e.low <= 2 <= e.high) for e in (estimates[i] for i in range(4))]
        table = compare(arms_from(cells, {10: random}), 10, measure("delta_loss"))
        false_alarms += bool(table["distinguishable"].any())
    assert 0.91 <= np.mean(held) <= 0.985
    assert false_alarms <= 16


@pytest.mark.parametrize("name", ["mse", "ssim", "clip", "dino"])
def test_intervals_end_where_the_measure_does(name: str) -> None:
    """Two queries, so intervals would be wide; errors and p-values are those of the wide ones."""
    measurements = study(queries=2, sets=2, measures=(name,))
    by, loss = measure(name), measurements.assign(measure="delta_loss")
    cut, wide = (estimates_table(table) for table in (measurements, loss))
    (lowest, highest), (least, most) = by.range, by.range_of_differences
    assert (wide["mean_low"] < lowest).any() or (wide["mean_high"] > highest).any()
    assert cut["mean_low"].to_numpy() == pytest.approx(np.maximum(wide["mean_low"], lowest))
    assert cut["mean_high"].to_numpy() == pytest.approx(np.minimum(wide["mean_high"], highest))
    assert cut["excess_low"].min() >= least
    assert cut["excess_high"].max() <= most
    same = ["mean", "excess", "mean_error", "excess_error"]
    pd.testing.assert_frame_equal(cut[same], wide[same])


def test_an_interval_holds_a_value_that_leaves_the_range_by_rounding() -> None:
    one, error = np.array(1 + 1e-15), np.array(0.1)
    estimate = Estimate(one, error, error, np.array(3.0)).within((-1, 1))
    assert estimate.low < estimate.value == estimate.high
