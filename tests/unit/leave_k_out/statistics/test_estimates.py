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
    excess,
    mean_of_shared,
    mean_over_queries,
    over_own,
    p_of_excess,
)
from leavekout.report.text import keyed
from leavekout.statistics.resampling import Estimate
from studies import arms_from, study

COUNT = 20_000


def test_without_shared_models_the_interval_is_student_s() -> None:
    cell = np.random.default_rng(0).gamma(2, size=9)
    ours = mean_over_queries(cell, COUNT)
    expected = stats.ttest_1samp(cell, 0).confidence_interval(0.95)
    assert ours.value == pytest.approx(cell.mean())
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=0.03)
    assert ours.p_value() == pytest.approx(stats.ttest_1samp(cell, 0).pvalue, rel=0.2)


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
    errors = [float(mean_of_shared(draw(), 300, seed).error) for seed in range(300)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(true, rel=0.06)


def test_the_excess_is_paired_and_knows_that_all_queries_share_the_random_models() -> None:
    rng = np.random.default_rng(2)
    query, shared = 5 * rng.standard_normal((20, 1)), rng.standard_normal((1, 5))
    random = query + shared
    cell = query[:, 0] + 1.0
    found = excess(cell, random, count=COUNT)
    assert found.value == pytest.approx(1.0 - shared.mean())
    assert found.query_error == pytest.approx(0, abs=1e-9)  # what naive errors see
    assert found.error == pytest.approx(shared.std(ddof=1) / np.sqrt(5), rel=0.03)
    assert found.freedom == pytest.approx(4)


def test_intervals_state_whether_they_cover_models_and_one_query_has_none() -> None:
    table = estimates_table(study(sets=1), resamples=200)
    methods = table[table["method"].isin(["good", "bad"])]
    assert set(methods["covers"]) == {"queries"}
    assert set(estimates_table(study(), resamples=200)["covers"]) == {"queries and models"}
    alone = estimates_table(study(queries=1), resamples=200)
    assert alone[["mean_low", "excess_low", "p"]].isna().all(axis=None)


def test_estimates_are_the_plain_means() -> None:
    measurements = study()
    table = keyed(estimates_table(measurements, resamples=200), "measure", "k", "method")
    for name in ("delta_loss", "mse", "clip"):
        rows = measurements[measurements["measure"] == name]
        by_query = rows.groupby(["method", "k", "query"])["value"].mean()
        good, random = by_query["good", 10], by_query["random", 10]
        row = table[name, 10, "good"]
        assert row["excess"] == pytest.approx((good - random).mean())
        assert row["mean"] == pytest.approx(good.mean())
        assert row["better"] == 1.0
        assert row["excess_low"] < row["excess"] < row["excess_high"]
        assert row["p"] == pytest.approx(2 / 2**8)  # as small as eight sign flips allow
        assert row["p_corrected"] >= row["p"]


def test_the_excess_over_topic_removal_resamples_a_query_with_its_own_sets() -> None:
    """Against a loop over clusters of queries, and a t-interval where queries are independent."""
    measurements = study(queries=9, topic_sets=3, alike=3, measures=("mse",))
    of_query = measurements[measurements["k"] == 10].groupby(["method", "query"])["value"].mean()
    differences = of_query["good"] - of_query["topic"]  # the mean over the query's three sets
    row = keyed(estimates_table(measurements, resamples=COUNT), "method")["good",]
    rng, means = np.random.default_rng(5), []
    by_cluster = differences.to_numpy().reshape(3, 3)
    for _ in range(COUNT):
        means.append(by_cluster[rng.integers(3, size=2)].mean())  # n - 1 of n, as all intervals
    assert row["topic_excess"] == pytest.approx(differences.mean())
    assert row["topic_excess_error"] == pytest.approx(np.std(means), rel=0.03)
    alone = study(queries=9, topic_sets=3, measures=("mse",))
    row = keyed(estimates_table(alone, resamples=COUNT), "method")["good",]
    of_query = alone[alone["k"] == 10].groupby(["method", "query"])["value"].mean()
    plain = stats.ttest_1samp(of_query["good"] - of_query["topic"], 0).confidence_interval(0.95)
    found = row["topic_excess_low"], row["topic_excess_high"]
    assert found == pytest.approx((plain.low, plain.high), rel=0.03)
    assert row["topic_p"] == pytest.approx(2 / 2**9)


def test_a_method_may_beat_random_removal_and_not_topic_removal() -> None:
    measurements = study(topic_sets=2)
    table = keyed(estimates_table(measurements, resamples=2**8), "measure", "k", "method")
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
    plain = estimates_table(without, resamples=200)
    table = estimates_table(pd.concat([without, more]), resamples=200)
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
        found = mean_over_queries(over_own(cells[None], topic)[0], 300)
        held.append(found.low <= 1.0 <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.033)  # three standard errors


def test_many_methods_on_few_queries_can_be_shown_to_beat_random() -> None:
    """By Holm's correction alone, no p-value of eight sign flips would do for seven methods."""
    rng = np.random.default_rng(0)
    cells = 1 + 0.1 * rng.standard_normal((20, 8))
    cells[:5] -= 1  # as good as random
    random = 0.1 * rng.standard_normal((8, 10))
    found = [excess(cell, random, count=200) for cell in cells]
    p_values, corrected = p_of_excess(found, cells, random, count=2**8)
    assert (corrected >= p_values).all()
    assert (corrected[:5] > 0.05).all()
    assert (corrected[5:] <= 0.05).all()
    assert p_values[5:] == pytest.approx(2 / 2**8)


def test_a_p_value_is_of_the_excess_and_knows_that_queries_share_the_random_models() -> None:
    rng = np.random.default_rng(1)
    cells = 0.1 * rng.standard_normal((1, 8))
    below = -1 + 0.1 * rng.standard_normal((8, 5))  # random removal has less effect than none
    found = [excess(cells[0], below, count=200)]
    assert p_of_excess(found, cells, below, count=2**8)[0] == pytest.approx(2 / 2**8)
    scattered = below + 2 * rng.standard_normal(5)  # in all queries alike
    found = [excess(cells[0], scattered, count=200)]
    p_values, _ = p_of_excess(found, cells, scattered, count=2**8)
    assert p_values[0] == found[0].p_value() > 10 * 2 / 2**8


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
    for seed in range(150):
        shared = rng.standard_normal((1, 5))
        random = 1 + shared + rng.standard_normal((12, 5))
        cells = {f"m{i}": 3 + 2 * rng.standard_normal(12) for i in range(4)}
        held += [
            bool(e.low <= 2 <= e.high)
            for e in (excess(cell, random, count=300, seed=seed) for cell in cells.values())
        ]
        table = compare(arms_from(cells, {10: random}), 10, measure("delta_loss"), resamples=500)
        false_alarms += bool(table["distinguishable"].any())
    assert 0.91 <= np.mean(held) <= 0.985
    assert false_alarms <= 16


@pytest.mark.parametrize("name", ["mse", "ssim", "clip", "dino"])
def test_intervals_end_where_the_measure_does(name: str) -> None:
    """Two queries, so intervals would be wide; errors and p-values are those of the wide ones."""
    measurements = study(queries=2, sets=2, measures=(name,))
    by, loss = measure(name), measurements.assign(measure="delta_loss")
    cut, wide = (estimates_table(table, resamples=50) for table in (measurements, loss))
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
