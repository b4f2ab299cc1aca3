"""Parts of the variance and power against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.power import (
    power_table,
    queries_needed,
    retraining_variance,
    smallest_effect,
    variance_of_mean,
    variance_table,
)
from leavekout.report.text import keyed
from leavekout.statistics.paired import paired_means
from studies import study


def needed_of(
    differences: np.ndarray, *, level: float, clusters: np.ndarray | None = None
) -> float:
    queries = len(differences)
    count = queries if clusters is None else len(np.unique(clusters))
    estimate = paired_means(differences[None], clusters)[0]
    return queries_needed(estimate, level=level, queries=queries, clusters=count)


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


def test_the_shared_part_is_that_of_a_two_way_analysis_of_variance() -> None:
    queries, models = 4, 3
    values = np.random.default_rng(0).standard_normal((queries, models)) + 2 * np.arange(models)
    by_model, by_query = values.mean(axis=0), values.mean(axis=1, keepdims=True)
    residuals = values - by_model - by_query + values.mean()
    own = np.square(residuals).sum() / (queries - 1) / (models - 1)
    shared = (queries * by_model.var(ddof=1) - own) / queries
    within, common = retraining_variance(values)
    assert common == pytest.approx(shared)
    assert within == pytest.approx(shared + own)


def test_the_mean_of_the_random_models_adds_nothing_to_a_cell_s_variance() -> None:
    """A cell has variance 1 over queries and 1 by its training; two random models are averaged."""
    rng, totals = np.random.default_rng(3), []
    for seed in range(60):
        table = study(queries=30, sets=2, ks=(10,), measures=("delta_loss",), seed=seed)
        table["value"] += rng.standard_normal(len(table))
        table.loc[table["method"] == "good", "value"] += rng.standard_normal(30)
        totals.append(keyed(variance_table(table), "method")[("good",)]["total"])
    assert np.mean(totals) == pytest.approx(2 + 0.1**2, rel=0.1)


def test_the_parts_of_the_variance_sum_up() -> None:
    table = variance_table(study())
    assert set(table["method"]) == {"good", "bad"}
    parts = table[["query", "retraining", "evaluation"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(table["total"].to_numpy())
    assert (table["shared"] <= table["retraining"] + 1e-12).all()


def test_the_smallest_difference_has_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(9)
    for level in (0.05, 0.05 / 28):
        effect = smallest_effect(11, level=level) / np.sqrt(12)
        p = stats.ttest_1samp(rng.normal(effect, 1, (20_000, 12)), 0, axis=1).pvalue
        assert np.mean(p <= level) == pytest.approx(0.8, abs=0.01)


def test_queries_needed_have_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(10)
    differences = rng.standard_normal(12)
    differences = 0.5 + (differences - differences.mean()) / differences.std(ddof=1)
    needed = int(needed_of(differences, level=0.01))
    p = stats.ttest_1samp(rng.normal(0.5, 1, (20_000, needed)), 0, axis=1).pvalue
    assert np.mean(p <= 0.01) == pytest.approx(0.8, abs=0.02)
    assert needed_of(differences + 100, level=0.05 / 28) == 3  # the fewest


@pytest.mark.parametrize(("queries", "retrainings"), [(12, 1), (12, 4), (50, 2)])
def test_the_smallest_difference_follows_from_the_parts_of_the_variance(
    queries: int, retrainings: int
) -> None:
    table = study(sets=4, ks=(10,), measures=("delta_loss",))
    is_random = table["method"] == "random"
    table.loc[is_random, "value"] += 0.3 * table["removal_set"][is_random].astype(float)
    table.loc[table["method"] == "good", "value"] += np.linspace(-3, 3, 8)  # by query
    means = table[table["k"] > 0].pivot_table(index="query", columns="method", values="value")
    random = table[is_random].pivot(index="query", columns="removal_set", values="value")
    within, shared = retraining_variance(random.to_numpy())
    noise = within - 0.01**2  # without the evaluation's
    found = keyed(power_table(table), "comparison", "queries", "retrainings")

    def own(variance: float, noise: float) -> float:
        noise = min(noise, variance)
        return (variance - noise + noise / retrainings) / queries

    two = own((means["good"] - means["bad"]).var(), 2 * noise)
    effect = smallest_effect(queries - 1, level=0.05)
    row = found["two methods", queries, retrainings]
    assert row["difference"] == pytest.approx(effect * np.sqrt(two))
    variances = [(means[method] - means["random"]).var() for method in ("good", "bad")]
    one = own(float(np.median(variances)), noise)
    freedom = (one + shared / 4) ** 2 / (one**2 / (queries - 1) + (shared / 4) ** 2 / 3)
    effect = smallest_effect(freedom, level=0.05)
    row = found["method and random", queries, retrainings]
    assert row["difference"] == pytest.approx(effect * np.sqrt(one + shared / 4))


def test_queries_twice_show_no_smaller_differences_than_once() -> None:
    once = study(queries=6, ks=(10,), measures=("delta_loss",))
    twice = pd.concat([once, once.assign(query=once["query"] + "-again")])
    first, second = (
        keyed(power_table(t), "comparison", "queries", "retrainings") for t in (once, twice)
    )
    for count in (6, 25):
        expected = first["two methods", count, 1]["difference"]
        assert second["two methods", 2 * count, 1]["difference"] == pytest.approx(expected)


def test_without_clusters_the_variance_of_a_mean_is_the_plain_one() -> None:
    values = np.array([0.3, 1.0, -0.4, 2.0])
    assert variance_of_mean(values, np.arange(4)) == pytest.approx(values.var(ddof=1) / 4)


def test_more_queries_and_retrainings_show_smaller_differences() -> None:
    table = keyed(power_table(study()), "measure", "comparison", "queries", "retrainings")
    few = table["mse", "two methods", 12, 1]
    assert few["difference_holm"] >= few["difference"] > 0
    assert table["mse", "two methods", 50, 1]["difference"] < few["difference"]
    assert table["mse", "two methods", 12, 4]["difference"] <= few["difference"]


def test_a_small_difference_needs_thousands_of_queries() -> None:
    differences = 0.05 + stats.zscore(np.random.default_rng(2).standard_normal(20), ddof=1)
    needed = int(needed_of(differences, level=0.05))
    limit = stats.t.isf(0.025, needed - 1)
    assert needed > 3000
    power = stats.nct.sf(limit, needed - 1, 0.05 * np.sqrt(needed))
    assert power == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("queries", [3, 8, 40])
@pytest.mark.parametrize("sets", [2, 4])
def test_one_cluster_shows_no_power(queries: int, sets: int) -> None:
    table = power_table(study(queries=queries, alike=queries, sets=sets))
    assert len(table)
    assert table[["difference", "difference_holm"]].isna().all(axis=None)


PAIRS = [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("differences", "clusters", "needed"),
    [
        ([0.3], [0], np.nan),
        ([0.1, 0.2, 0.3], [0, 0, 0], np.nan),  # one cluster
        ([1, -1] * 4, PAIRS, np.nan),  # clusters do not vary
        ([2, 4] * 4, PAIRS, np.nan),
        (0.3 + 1e-16 * np.arange(8), None, np.nan),  # rounding
        (0.3 + 1e-12 * np.arange(8), None, np.nan),
        (0.3 + 1e-6 * np.arange(8), None, 3),
        ([1, -1, 2, -2], None, np.inf),
        ([1, -1, 1e-200], None, np.inf),
    ],
)
def test_queries_needed_where_little_or_nothing_varies(
    differences: list[float], clusters: list[int] | None, needed: float
) -> None:
    members = None if clusters is None else np.array(clusters)
    found = needed_of(np.array(differences, float), level=0.05, clusters=members)
    assert found == pytest.approx(needed, nan_ok=True)
