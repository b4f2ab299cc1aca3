"""Estimates, tests and equivalents against closed forms, brute force and other libraries."""

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from leavekout.errors import InputError
from leavekout.report.text import keyed
from leavekout.statistics.arms import Arms, arms_of
from leavekout.statistics.clusters import clusters, in_common
from leavekout.statistics.comparisons import (
    compare,
    comparisons_table,
    indistinguishable,
)
from leavekout.statistics.equivalents import Curves, monotone, random_curve
from leavekout.statistics.estimates import (
    estimates_table,
    excess,
    mean_of_shared,
    mean_over_queries,
    p_of_excess,
)
from leavekout.statistics.lds import agreement, lds, rank_correlations, summed_scores
from leavekout.statistics.power import (
    power_table,
    queries_needed,
    retraining_variance,
    smallest_effect,
    variance_table,
)
from leavekout.statistics.significance import holm, paired_tests, sign_flips, skewed_t_test
from studies import study

COUNT = 20_000


def arms_from(cells: dict[str, np.ndarray], random: dict[int, np.ndarray]) -> Arms:
    k = min(random)
    return Arms(
        effects={(name, k): values for name, values in cells.items()},
        random=random,
        sets={k: np.arange(values.shape[1]) for k, values in random.items()},
        floor=np.empty((0, 0)),
        evaluation={(name, k): 0.0 for name in (*cells, "random")},
        clusters=np.arange(len(random[k])),
    )


def test_without_shared_models_the_interval_is_student_s() -> None:
    cell = np.random.default_rng(0).gamma(2, size=9)
    ours = mean_over_queries(cell, COUNT)
    expected = stats.ttest_1samp(cell, 0).confidence_interval(0.95)
    assert ours.value == pytest.approx(cell.mean())
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=0.03)
    assert ours.p_value() == pytest.approx(stats.ttest_1samp(cell, 0).pvalue, rel=0.2)


def test_the_error_of_a_crossed_mean_is_that_of_its_components() -> None:
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


def test_one_model_or_one_query_claims_no_more_than_it_can() -> None:
    table = estimates_table(study(sets=1), resamples=200)
    methods = table[table["method"].isin(["good", "bad"])]
    assert set(methods["covers"]) == {"queries"}
    assert set(estimates_table(study(), resamples=200)["covers"]) == {"queries and models"}
    alone = estimates_table(study(queries=1), resamples=200)
    assert alone[["mean_low", "excess_low", "p"]].isna().all(axis=None)


def test_estimates_are_the_plain_means() -> None:
    measurements = study()
    table = keyed(estimates_table(measurements, resamples=200), "measure", "k", "method")
    for measure in ("delta_loss", "mse", "clip"):
        rows = measurements[measurements["measure"] == measure]
        by_query = rows.groupby(["method", "k", "query"])["value"].mean()
        good, random = by_query["good", 10], by_query["random", 10]
        row = table[measure, 10, "good"]
        assert row["excess"] == pytest.approx((good - random).mean())
        assert row["mean"] == pytest.approx(good.mean())
        assert row["better"] == 1.0
        assert row["excess_low"] < row["excess"] < row["excess_high"]
        assert row["p"] == pytest.approx(2 / 2**8)  # as small as eight sign flips allow
        assert row["p_corrected"] >= row["p"]


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


def test_a_model_that_was_not_measured_on_every_query_is_refused() -> None:
    measurements = study()
    lost = (measurements["method"] == "bad") & (measurements["query"] == "q003")
    with pytest.raises(InputError, match="lack query q003 for 'bad' at K = 10"):
        arms_of(measurements[~lost], "mse")


def test_sign_flips_equal_a_brute_force_count() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (3, 9))
    flips = np.array(list(product([-1, 1], repeat=9)))
    p_values, _ = sign_flips(differences, resamples=1000)
    for row, p in zip(differences, p_values, strict=True):
        means = (flips * row).mean(axis=1)
        assert p == pytest.approx((abs(means) >= abs(row.mean()) - 1e-12).mean())


def test_sign_flips_equal_scipy_s_permutation_test() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (3, 9))
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", vectorized=True, axis=-1
    )
    assert sign_flips(differences, resamples=1000)[0] == pytest.approx(theirs.pvalue)


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


def test_drawn_flips_come_near_all_flips() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (3, 14))
    every, drawn = (sign_flips(differences, resamples=n) for n in (2**13, 5000))
    assert drawn[0] == pytest.approx(every[0], abs=0.02)
    assert drawn[1] == pytest.approx(every[1], abs=0.02)


def test_queries_of_a_cluster_count_as_one() -> None:
    """Each query twice says no more than each query once."""
    once = np.random.default_rng(4).normal(0.5, 1, (2, 7))
    twice, pairs = np.repeat(once, 2, axis=1), np.repeat(np.arange(7), 2)
    plain, clustered = (
        sign_flips(once, resamples=1000),
        sign_flips(twice, resamples=1000, clusters=pairs),
    )
    assert clustered[0] == pytest.approx(plain[0])
    assert clustered[1] == pytest.approx(plain[1])
    ours = mean_over_queries(twice[0], COUNT, clusters=pairs)
    expected = stats.ttest_1samp(once[0], 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=0.03)
    assert queries_needed(twice[0], level=0.01, clusters=pairs) == 2 * queries_needed(
        once[0], level=0.01
    )
    tables = [comparisons_table(study(alike=alike), resamples=100) for alike in (1, 2)]
    assert [set(table["n_clusters"]) for table in tables] == [{8}, {4}]
    assert tables[1]["p"].min() == pytest.approx(2 / 2**4)


def test_queries_belong_together_by_their_prompts_or_by_their_nearest_images() -> None:
    sets = np.arange(40).reshape(4, 10)
    half = np.r_[sets[0][:5], sets[2][:5]]
    near = {"a": sets[0], "b": half, "c": sets[1], "d": sets[3]}
    prompts = {"a": "one", "b": "two", "c": "three", "d": "three"}
    found = clusters(near, prompts, images=1000)
    assert found == {"a": "a", "b": "a", "c": "c", "d": "c"}
    assert in_common(sets[0], sets[0], images=1000) == pytest.approx(1)
    rng = np.random.default_rng(5)
    random = [rng.permutation(100)[:50] for _ in range(400)]
    shares = [in_common(a, b, images=100) for a, b in pairwise(random)]
    assert np.mean(shares) == pytest.approx(0, abs=0.02)


def test_a_chain_of_queries_is_not_one_cluster() -> None:
    """Neighbours share 40 % of their images, all others nothing; pairs are all that is alike."""
    near = {f"q{i}": np.arange(6 * i, 6 * i + 10) for i in range(8)}
    found = clusters(near, {name: name for name in near}, images=1000)
    assert sorted(Counter(found.values()).values()) == [2, 2, 2, 2]
    assert all(found[name] <= name for name in near)  # named after their first


def test_without_skewness_halls_test_is_student_s() -> None:
    symmetric = 0.3 + np.array([-1.5, -0.7, -0.2, 0.2, 0.7, 1.5])
    expected = stats.ttest_1samp(symmetric, 0).pvalue
    assert skewed_t_test(symmetric[None]) == pytest.approx(expected)


def test_holm_equals_its_definition() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    expected, running = np.empty(4), 0.0
    for step, index in enumerate(np.argsort(p)):
        running = max(running, (4 - step) * p[index])
        expected[index] = min(1, running)
    assert holm(p) == pytest.approx(expected)


def test_pairs_stand_with_the_better_one_first_whatever_the_measure() -> None:
    table = comparisons_table(study(), resamples=500)
    assert (table["ahead"] == "good").all()
    assert table["distinguishable"].all()
    assert (table["difference"] * [1, 1, -1] > 0).all()
    assert (table["share_ahead"] == 1).all()


def test_groups_hold_exactly_the_pairs_that_cannot_be_told_apart() -> None:
    order = ["a", "b", "c", "d"]
    open_pairs = {("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")}
    rows = [
        {"ahead": x, "behind": y, "distinguishable": (x, y) not in open_pairs}
        for i, x in enumerate(order)
        for y in order[i + 1 :]
    ]
    assert indistinguishable(pd.DataFrame(rows), order) == [["a", "b", "c"], ["c", "d"]]


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
    found = []
    for _ in range(4000):
        values = ks / 1000 + 0.6 * rng.standard_normal(4)
        found.append(np.interp(500.0, *monotone(ks, values, models)))
    # Dropping values below 0, the curve would be 0.5 in the mean only by leaving out bad luck.
    kept = [
        np.interp(500.0, *monotone(ks[v > 0], v[v > 0], models[v > 0]))
        for v in (ks / 1000 + 0.6 * rng.standard_normal((4000, 4)))
        if (v > 0).any()
    ]
    assert abs(np.mean(found) - 0.5) < abs(np.mean(kept) - 0.5)


def test_a_random_equivalent_is_where_the_curve_has_the_method_s_effect() -> None:
    ks = (100, 200, 400)
    noise = np.random.default_rng(5).standard_normal((30, 6))
    noise -= noise.mean()
    random = {k: k / 100 + 0.05 * noise for k in ks}
    cell = 3 + 0.05 * np.linspace(-1, 1, 30)
    curves = Curves(random_curve(arms_from({"m": cell}, random), "delta_loss"), np.arange(30), 400)
    found = curves.equivalent(cell)
    assert found["equivalent"] == pytest.approx(300, abs=1)
    assert found["low"] < 300 < found["high"]
    assert not found["high_censored"]
    over = curves.equivalent(cell + 5)
    assert (over["equivalent"], over["equivalent_censored"], over["low_censored"]) == (
        400,
        True,
        True,
    )
    none = curves.equivalent(cell - 4)
    assert (none["equivalent"], none["equivalent_censored"]) == (0.0, False)


def test_sets_of_one_number_are_resampled_together_and_lone_ones_apart() -> None:
    values = np.zeros((4, 3))
    arms = Arms(
        effects={},
        random={10: values, 20: values, 50: np.zeros((4, 5))},
        sets={10: np.arange(3), 20: np.arange(3), 50: np.arange(5)},
        floor=np.empty((0, 0)),
        evaluation={},
        clusters=np.arange(4),
    )
    sweep = random_curve(arms, "delta_loss")
    assert sorted(sweep.groups) == [2, 3]
    assert sweep.values.shape == (4, 11)
    numbers = {k: sweep.number[columns].tolist() for k, columns in sweep.columns.items()}
    assert numbers[10] == numbers[20]
    assert set(numbers[10]) < set(numbers[50])


def test_rank_correlations_equal_scipy_s_with_ties() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.integers(0, 5, (2, 7, 12)).astype(float)
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert rank_correlations(a, b) == pytest.approx(expected)
    assert rank_correlations(np.ones(5), np.arange(5.0)) == 0


def test_the_lds_is_1_for_scores_that_foretell_every_removal() -> None:
    rng = np.random.default_rng(7)
    scores = rng.standard_normal((6, 40))
    sets = [rng.choice(40, 10, replace=False) for _ in range(12)]
    effects = np.stack([[row[rows].sum() for rows in sets] for row in scores])
    predicted = np.stack([summed_scores(row.astype(np.float32), sets) for row in scores])
    assert float(lds(effects, predicted, resamples=50).value) == pytest.approx(1)
    assert float(lds(effects, -predicted, resamples=50).value) == pytest.approx(-1)


def test_agreement_of_two_rankings_has_an_exact_p_value() -> None:
    names = "abcde"
    rho, p = agreement(
        dict(zip(names, range(5), strict=True)), dict(zip(names, range(5), strict=True))
    )
    assert rho == pytest.approx(1)
    assert p == pytest.approx(2 / 120)
    assert np.isnan(agreement({"a": 1.0}, {"a": 1.0})).all()


def test_the_variance_is_split_into_what_was_put_in() -> None:
    """Retraining noise and its shared part, recovered on average over studies."""
    rng = np.random.default_rng(8)
    shared, own = 0.6, 0.9
    found = [
        retraining_variance(
            rng.standard_normal((25, 1))
            + shared * rng.standard_normal((1, 8))
            + own * rng.standard_normal((25, 8))
        )
        for _ in range(600)
    ]
    within, common = np.mean(found, axis=0)
    assert within == pytest.approx(shared**2 + own**2, rel=0.05)
    assert common == pytest.approx(shared**2, rel=0.1)


def test_the_parts_of_the_variance_sum_up() -> None:
    table = variance_table(study())
    assert set(table["method"]) == {"good", "bad"}
    parts = table[["query", "retraining", "evaluation"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(table["total"].to_numpy())
    assert (table["shared"] <= table["retraining"] + 1e-12).all()


def test_the_smallest_difference_has_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(9)
    effect = smallest_effect(12, 11, level=0.05) / np.sqrt(12)
    p = stats.ttest_1samp(rng.normal(effect, 1, (20_000, 12)), 0, axis=1).pvalue
    assert np.isinf(smallest_effect(5, 4, level=0.05))  # no sign-flip test can show it
    assert np.mean(p <= 0.05) == pytest.approx(0.8, abs=0.01)
    low = 0.05 / 28
    effect = smallest_effect(12, 11, level=low) / np.sqrt(12)
    p = stats.ttest_1samp(rng.normal(effect, 1, (20_000, 12)), 0, axis=1).pvalue
    assert np.mean(p <= low) == pytest.approx(0.8, abs=0.01)


def test_queries_needed_have_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(10)
    differences = rng.standard_normal(12)
    differences = 0.5 + (differences - differences.mean()) / differences.std(ddof=1)
    needed = int(queries_needed(differences, level=0.01))
    p = stats.ttest_1samp(rng.normal(0.5, 1, (20_000, needed)), 0, axis=1).pvalue
    assert np.mean(p <= 0.01) == pytest.approx(0.8, abs=0.02)
    assert queries_needed(differences + 100, level=0.05 / 28) == 6  # 2^(1 − 6) ≤ 0.05


def test_more_queries_and_retrainings_show_smaller_differences() -> None:
    table = keyed(power_table(study()), "measure", "comparison", "queries", "retrainings")
    few = table["mse", "two methods", 12, 1]
    assert few["difference_holm"] >= few["difference"] > 0
    assert table["mse", "two methods", 50, 1]["difference"] < few["difference"]
    assert table["mse", "two methods", 12, 4]["difference"] <= few["difference"]


def test_intervals_and_tests_keep_their_promise_on_a_small_scale() -> None:
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
        table = compare(arms_from(cells, {10: random}), 10, "delta_loss", resamples=500)
        false_alarms += bool(table["distinguishable"].any())
    assert 0.91 <= np.mean(held) <= 0.985
    assert false_alarms <= 16
