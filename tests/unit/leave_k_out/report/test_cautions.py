"""Cautions are given where they apply, and only there."""

import pandas as pd

from leavekout.leave_k_out.report.cautions import cautions
from leavekout.leave_k_out.report.looks import _next, of_looks
from leavekout.leave_k_out.statistics.clusters import intraclass_table
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.equivalents import equivalents_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.report.provenance import of_versions
from studies import repeatability, study


def few(queries: int, *, alike: int = 1) -> list[str]:
    measurements = study(queries=queries, sets=1, alike=alike)
    return cautions(
        estimates=estimates_table(measurements),
        equivalents=equivalents_table(measurements, resamples=20),
        ties=pd.DataFrame(columns=["method", "query", "k", "tied"]),
        repeatability=repeatability(good=0.97, bad=0.55),
        intraclass=intraclass_table(measurements),
    )


def test_cautions_are_given_where_they_are_due() -> None:
    text = "\n".join(few(3))
    assert "Few independent queries: with 3, " in text
    assert "Queries on the same topic" not in text
    assert "1 random set" in text
    assert "The random curve ends at 20 images" in text
    assert "fewer than 90 % of the top 10 would be selected again (bad 55 %)" in text
    assert "Few independent queries" not in "\n".join(few(20))
    alike = "\n".join(few(8, alike=2))
    assert few(8, alike=8)[0].startswith("One cluster: the prompts of the 8 queries name the same")
    assert "by their prompts, the 8 queries make 4 clusters" in alike
    table = intraclass_table(study(sets=1, alike=2))
    [row] = table.query("measure == 'mse'").to_dict("records")
    assert f"{row['correlation']:.2f} by MSE (p = {row['p']:.2g})".replace("-", "−") in alike


def test_cells_trained_twice_say_that_results_are_of_one_source_model() -> None:
    seeds = pd.DataFrame(
        {
            "method": ["good", "all methods"],
            "k": 10,
            "cells": [4, 9],
            "first": 0.012,
            "second": 0.0087,
        }
    )
    measurements = study(queries=20)
    said = cautions(
        estimates=estimates_table(measurements),
        equivalents=equivalents_table(measurements, resamples=20),
        ties=pd.DataFrame(columns=["method", "query", "k", "tied"]),
        repeatability=repeatability(),
        seeds=seeds,
    )
    [one] = [text for text in said if text.startswith("One source model")]
    assert "of 9 models at K = 10" in one
    assert "is 8.7 beyond that seed's model, and 12 from" in one


def at_look(queries: int, looks: list[int], *, alike: int = 1) -> str:
    measurements = study(queries=queries, alike=alike)
    names = [f"q{n:03d}" for n in range(looks[-1])]
    return of_looks(
        estimates_table(measurements, looks=looks),
        comparisons_table(measurements, looks=looks),
        looks,
        {name: f"topic {n // alike}" for n, name in enumerate(names)},
    )


def test_an_early_look_says_what_is_spent_what_is_settled_and_what_comes_next() -> None:
    early = at_look(10, [10, 20])
    assert early.startswith("Look 1 of 2, at 10 of 20 planned queries")
    assert "6.1 % of the allowed errors are spent" in early  # 2 (1 − Φ(2.963)) = 0.00305 of 0.05
    assert "By ΔL at K = 10, 1 of 1 pairs of methods are settled." in early
    assert early.endswith("The next look adds 10 queries, q010 to q019.")
    assert at_look(20, [10, 20]).startswith("The last of 2 planned looks")


def test_at_a_look_topics_with_few_queries_are_named() -> None:
    said = at_look(10, [10, 20], alike=4)
    assert "adds 10 queries, q010 to q019. 2 of their topics have no query yet." in said
    assert said.endswith("(the fewest, 2: topic 2).")


def test_at_a_look_a_query_that_names_no_topic_is_none() -> None:
    clusters = {"q0": "cat", "q1": "q1", "q2": "cat", "q3": "q3", "q4": "dog", "q5": "q5"}
    assert _next(clusters, 3, 6) == (
        "The next look adds 3 queries, q3 to q5. 1 of their topics have no query yet. A query "
        "tells most on a topic with none, and then on one with few (the fewest, 2: cat)."
    )
    assert _next(dict(zip(clusters, clusters, strict=True)), 3, 6).endswith("q3 to q5.")
    many = {f"q{n}": f"topic {n % 9}" for n in range(18)}
    assert _next(many, 9, 18).endswith(
        "(the fewest, 1: topic 0, topic 1, topic 2, topic 3, topic 4, topic 5 and 3 more)."
    )


def test_artifacts_of_different_versions_are_reported() -> None:
    made_by = {"commit": ["abc", "def-dirty"], "torch": ["2", "2"]}
    text = "\n".join(of_versions(pd.DataFrame({"stage": ["a", "b"], "jobs": [1, 1], **made_by})))
    assert "commit abc, def-dirty" in text
    assert "torch" not in text
    assert "uncommitted changes" in text


def test_tables_of_one_other_version_need_no_caution() -> None:
    rows = [("retrain", 9, "abc"), ("estimate", 1, "def")]
    versions = pd.DataFrame(rows, columns=["stage", "jobs", "commit"])
    assert "Artifacts of different versions: commit abc, def" in "".join(of_versions(versions))
    assert of_versions(versions, ["estimate", "compare"]) == []
    mixed = pd.concat([versions, versions.assign(stage="compare")])
    text = "".join(of_versions(mixed, ["estimate", "compare"]))
    assert "Tables and figures of different versions" in text


def test_models_of_different_gpus_are_reported() -> None:
    rows = [
        ("retrain", 7, "H100"),
        ("retrain, random", 2, "A100"),
        ("measure_outcomes", 3, "cpu"),
        ("estimate", 1, "unknown"),
    ]
    versions = pd.DataFrame(rows, columns=["stage", "jobs", "device"])
    (said,) = of_versions(versions)
    assert "different devices: A100 (2), H100 (7)." in said
    assert of_versions(versions[versions["device"] != "A100"]) == []
