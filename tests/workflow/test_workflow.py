"""The whole DAG on the tiny experiment, in a copy of the project: its results."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leavekout.contract.outcome import Outcome
from project import ENV, ROOT, TINY, ran, refused


def test_tables_hold_every_method_query_and_control(results: Path) -> None:
    measurements = pd.read_parquet(results / "tables" / "measurements.parquet")
    dictionary = pd.read_csv(results / "tables" / "dictionary.csv")
    assert dictionary["column"].tolist() == list(measurements)
    values = measurements.pivot(
        index=["method", "k", "query", "training_seed"], columns="measure", values="value"
    )
    counts = values.groupby(["method", "k"]).size().to_dict()
    arms = [("unlearning", 20), ("pixel", 20), ("random", 20), ("no_removal", 0)]
    assert counts == dict.fromkeys(arms, 3)
    assert np.isfinite(values).all(axis=None)
    assert values["clip"].between(-1, 1 + 1e-6).all()
    errors = measurements.set_index("measure")["evaluation_error"]
    assert (errors["delta_loss"] > 0).all()
    assert (errors[["mse", "clip", "ssim", "dino"]] == 0).all()
    estimates = pd.read_csv(results / "tables" / "estimates.csv")
    assert len(estimates) == 5 * 4
    assert set(estimates["n_queries"]) == {3}
    clusters = pd.read_csv(results / "tables" / "clusters.csv")
    assert clusters["query"].tolist() == ["q000", "q001", "q002"]
    assert set(estimates["n_clusters"]) == {clusters["cluster"].nunique()}
    seeds = pd.read_csv(results / "tables" / "seeds.csv").set_index("method")
    assert seeds["cells"].to_dict() == {"unlearning": 1, "pixel": 1, "all methods": 2}
    assert np.isfinite(seeds.loc["all methods", ["first", "second", "retraining"]]).all()
    costs = pd.read_csv(results / "tables" / "costs.csv").set_index("method")
    assert set(costs.index) == {"unlearning", "pixel"}  # all their benchmark files were found
    assert (costs["seconds_per_query"] > 0).all()
    assert (costs["seconds_once"] > 0).to_dict() == {"unlearning": True, "pixel": False}
    tuning = pd.read_csv(results / "tables" / "tuning.csv")
    assert set(tuning["method"]) == {"ascent", "random", "no_removal"}
    removed = tuning.loc[tuning["method"] == "ascent", "removed"]
    assert set(removed) == {20}  # of its one tuning query


def test_removal_sets_are_the_best_scores(results: Path) -> None:
    scores = np.load(results / "attribution" / "pixel" / "q001.npy")
    outcome = Outcome.load(results / "retrained" / "pixel" / "q001" / "k20" / "outcome.safetensors")
    removed = outcome.removed
    assert outcome.about["policy"] == "top"
    assert outcome.queries == ["q001"]
    assert removed.dtype == np.int64
    assert set(removed) == set(np.argsort(-scores, kind="stable")[:20])


def test_figures_and_a_self_contained_report_are_made(results: Path) -> None:
    for name in (
        *("measures.png", "measures.pdf", "ranking.png", "equivalents.pdf", "agreement.svg"),
        *("costs.svg", "idea.png"),
    ):
        assert (results / "figures" / name).stat().st_size > 2000
    report = (results / "report.html").read_text()
    prompt = pd.read_parquet(results / "queries" / "queries.parquet")["prompt"][0]
    assert prompt in report
    for text in ("pixel", "train_vae", "retrain, random", "transformers"):  # costs, versions
        assert f"<td>{text}</td>" in report or f">{text}</th>" in report
    fetched = re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:|#)|url\("(?!data:)', fetched)
    assert len(report) < 20e6
    assert r"\toprule" in (results / "tables" / "headline.tex").read_text()


def test_figures_are_the_same_bytes_each_time(project: Path, results: Path) -> None:
    files = [results / "figures" / f"ranking.{kind}" for kind in ("png", "pdf", "svg")]
    before = [path.read_bytes() for path in files]
    target = str(files[0].relative_to(project))
    ran(project, *TINY, "--forcerun", "plot", "--", target)
    assert [path.read_bytes() for path in files] == before


def test_every_job_has_a_log_and_a_benchmark(results: Path) -> None:
    logs = {p.relative_to(results / "logs").with_suffix("") for p in results.glob("logs/**/*.log")}
    benchmarks = {
        p.relative_to(results / "benchmarks").with_suffix("")
        for p in results.glob("benchmarks/**/*.tsv")
    }
    assert logs == benchmarks
    assert len(logs) > 25
    assert all('"commit"' in p.read_text() for p in results.glob("logs/**/*.log"))


def test_a_union_is_one_model_on_its_queries_and_on_others(results: Path) -> None:
    folder = results / "retrained" / "union" / "unlearning-u0" / "k20"
    outcome = Outcome.load(folder / "outcome.safetensors")
    assert outcome.queries == ["q000", "q001", "q002"]
    assert (outcome.about["targets"], outcome.about["others"]) == (["q000", "q001"], ["q002"])
    best = [
        np.argsort(-np.load(results / f"attribution/unlearning/{query}.npy"), kind="stable")[:20]
        for query in outcome.about["targets"]
    ]
    assert outcome.removed.tolist() == sorted({*best[0].tolist(), *best[1].tolist()})
    table = pd.read_csv(results / "tables" / "removals.csv")
    assert set(table["method"]) == {"unlearning", "random"}
    assert set(table["n_targets"]) == {2}
    assert set(table["n_others"]) == {1}
    assert "Further removals" in (results / "report.html").read_text()


def test_weights_are_written_only_where_they_are_kept(project: Path, results: Path) -> None:
    config = ["--config", "counterfactual={k: [20, 25], keep_models: false}", "methods=[pixel]"]
    target = "results/tiny/retrained/pixel/q000/k25/outcome.safetensors"
    ran(project, *TINY, *config, "--", target)
    assert [path.name for path in (project / target).parent.iterdir()] == ["outcome.safetensors"]
    assert (results / "retrained/pixel/q000/k20/weights.safetensors").exists()
    shutil.rmtree((project / target).parent)


def test_a_model_that_the_study_does_not_train_is_refused(project: Path) -> None:
    target = "results/tiny/retrained/pixel/q000/k21/outcome.safetensors"
    printed = refused(project, "-n", *TINY, "--", target)
    assert "retrained/pixel/q000/k21 is no model of this study" in printed


def test_the_tour_runs_and_agrees_with_the_measurements(
    project: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "tour.md").read_text(), re.S)
    assert len(blocks) == 6
    monkeypatch.chdir(project)
    names: dict[str, Any] = {}
    exec("".join(blocks).replace("results/digits", "results/tiny"), names)
    measured = names["of_query"]
    here = measured["measure"] == "delta_loss"
    here &= measured["k"] == names["without"].about["k"]
    assert measured[here]["value"].tolist() == pytest.approx([names["delta_loss"]])
    assert set(names["best"]["image_id"]) == set(
        names["images"]["image_id"].iloc[np.argsort(-names["scores"], kind="stable")[:8]]
    )


def test_a_study_is_resumed_with_one_line_of_progress(project: Path, results: Path) -> None:
    (results / "report.html").unlink()
    done = subprocess.run(
        [sys.executable, "workflow/scripts/run_study.py", "--configfile", "config/tiny.yaml"],
        cwd=project,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 jobs to run" in done.stdout
    assert "1 of 1 jobs done" in done.stdout
    assert "Report:             results/tiny/report.html" in done.stdout
    assert (results / "report.html").exists()
    assert "Finished jobid" in (results / "snakemake.log").read_text()
