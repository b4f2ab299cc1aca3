"""What a method's scores cost, from benchmark files."""

from pathlib import Path

import pytest

from configured import experiment
from leavekout.leave_k_out.statistics.spent import COLUMNS, spent_on, spent_table
from leavekout.methods.registry import preparation


def benchmark(path: Path, seconds: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t10.0\n")


def test_a_job_for_each_query_is_counted_as_what_it_scored(tmp_path: Path) -> None:
    for query, seconds in (("q000", "4.0"), ("q001", "8.0")):
        benchmark(tmp_path / "attribution" / "mine" / f"{query}.tsv", seconds)
    benchmark(tmp_path / "fisher.tsv", "10.0")
    cost = spent_on(tmp_path, "mine", once=["fisher.tsv"], queries=48)
    table = spent_table([cost])
    assert list(table) == list(COLUMNS)
    assert table.to_numpy().tolist() == [["mine", 2, 6.0, 10.0, 11.0]]


def test_one_job_scores_all_queries(tmp_path: Path) -> None:
    benchmark(tmp_path / "attribution" / "mine.tsv", "24.0")
    cost = spent_on(tmp_path, "mine", once=[], queries=48)
    assert spent_table([cost])["seconds_per_query"].tolist() == [0.5]


@pytest.mark.parametrize("content", [None, "", "s\n", "s\th:m:s\n-\t-\n"])
def test_a_cost_with_an_unknown_part_is_empty(content: str | None, tmp_path: Path) -> None:
    benchmark(tmp_path / "attribution" / "mine.tsv", "24.0")
    if content is not None:
        (tmp_path / "fisher.tsv").write_text(content)
    costs = [
        spent_on(tmp_path, "mine", once=["fisher.tsv"], queries=2),
        spent_on(tmp_path, "unknown", once=[], queries=2),
    ]
    table = spent_table(costs)
    assert table["method"].tolist() == ["mine"]
    assert table["seconds_per_query"].tolist() == [12.0]
    assert table[["seconds_once", "seconds_per_query_here"]].isna().all(axis=None)
    assert tuple(spent_table(costs[1:]).columns) == COLUMNS


def test_preparation_lists_a_method_s_own_jobs() -> None:
    e = experiment("tiny")
    assert preparation(e, "unlearning") == [
        "source_losses/source/loss.tsv",
        "estimate_fisher/cross_attention_kv.tsv",
    ]
    assert preparation(e, "clip-text") == ["encode_features/clip/text.tsv"]
    assert preparation(e, "pixel") == []
    assert preparation(e, "edges") is None
    das = preparation(e, "das") or []
    assert "source_losses/source/loss.tsv" in das
    assert any(name.startswith("project_gradients/") for name in das)
    distilled = preparation(e, "distilled") or []
    assert sum(name.startswith("teacher/") for name in distilled) == e.queries.teacher
    assert "distill/distilled.tsv" in distilled
