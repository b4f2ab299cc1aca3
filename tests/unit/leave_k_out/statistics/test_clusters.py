"""Clusters of queries, which count as one, and how alike their queries are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from configured import experiment
from leavekout.leave_k_out.statistics.clusters import (
    clusters,
    intraclass_correlation,
    intraclass_table,
)
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from project import ROOT
from studies import study


def test_queries_whose_prompts_name_the_same_topics_are_a_cluster() -> None:
    prompts = {
        "q000": "A cat.",
        "q001": "a dog and two cats",
        "q002": "a kitten",
        "q003": "a cat beside a Dog",
        "q004": "a catalogue",
        "q005": "a house",
    }
    found = clusters(prompts, ["cat|cats|kitten", "dog"])
    animals = "cat|cats|kitten"
    assert found == {
        "q000": animals,
        "q001": f"{animals} and dog",
        "q002": animals,
        "q003": f"{animals} and dog",
        "q004": "q004",
        "q005": "q005",
    }
    assert clusters(prompts, None) == {query: query for query in prompts}


@pytest.mark.parametrize(("name", "count"), [("digits", 10), ("letters", 40)])
def test_the_published_studies_have_a_cluster_for_each_digit_or_character(
    name: str, count: int
) -> None:
    table = pd.read_csv(ROOT / f"results/{name}-study/tables/clusters.csv")
    prompts = dict(table[["query", "prompt"]].to_numpy().tolist())
    found = clusters(prompts, experiment(f"{name}-study").dataset.topics)
    assert len(set(found.values())) == count
    assert not set(found) & set(found.values())  # every prompt names a topic
    assert found == dict(table[["query", "cluster"]].to_numpy().tolist())


def test_tests_count_clusters() -> None:
    tables = [comparisons_table(study(alike=alike)) for alike in (1, 2, 8)]
    assert [set(table["n_clusters"]) for table in tables] == [{8}, {4}, {1}]
    assert (tables[2]["p"] == 1).all()
    assert tables[2]["low"].isna().all()


def test_the_correlation_is_that_of_a_one_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    members = np.repeat(np.arange(4), [2, 3, 5, 2])
    values = rng.standard_normal(4)[members] + rng.standard_normal(12)
    groups = [values[members == c] for c in range(4)]
    within = sum(np.square(g - g.mean()).sum() for g in groups) / 8
    between = stats.f_oneway(*groups).statistic * within
    n0 = (12 - (4 + 9 + 25 + 4) / 12) / 3
    expected = (between - within) / (between + (n0 - 1) * within)
    found, p = intraclass_correlation(values[None], members)
    assert found == pytest.approx(expected)
    assert p == pytest.approx(stats.f_oneway(*groups).pvalue, abs=0.05)  # the F-test's, nearly
    thrice = np.stack([values, 5 * values + 1, -values])  # scales and signs do not count
    assert intraclass_correlation(thrice, members) == pytest.approx((expected, p))


def test_the_correlation_of_alike_queries_is_found_and_that_of_others_is_not() -> None:
    rng = np.random.default_rng(1)
    members = np.repeat(np.arange(30), 4)
    common = rng.standard_normal((2, 30))[:, members]
    alike = np.sqrt(0.4) * common + np.sqrt(0.6) * rng.standard_normal((2, 120))
    correlation, p = intraclass_correlation(alike, members)
    assert correlation == pytest.approx(0.4, abs=0.12)
    assert p < 0.001
    correlation, p = intraclass_correlation(rng.standard_normal((2, 120)), members)
    assert abs(correlation) < 0.1
    assert p > 0.01


def test_without_clusters_or_pairs_no_correlation_is_given() -> None:
    for measurements in (study(), study(alike=8)):
        assert intraclass_table(measurements)["correlation"].isna().all()
    one = study(alike=2)
    assert intraclass_table(one[one["method"] != "bad"])["correlation"].isna().all()
    table = intraclass_table(one)
    assert table["measure"].tolist() == ["delta_loss", "mse", "clip"]
    assert table[["correlation", "p"]].notna().all(axis=None)
    assert set(table["n_clusters"]) == {4}
