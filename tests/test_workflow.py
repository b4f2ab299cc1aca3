"""The whole DAG on the tiny experiment, in a copy of the project: what comes out."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from project import TINY, said, snakemake


def test_tables_hold_every_method_query_and_control(results: Path) -> None:
    measurements = pd.read_parquet(results / "tables" / "measurements.parquet")
    dictionary = pd.read_csv(results / "tables" / "dictionary.csv")
    assert dictionary["column"].tolist() == list(measurements)
    values = measurements.pivot(
        index=["method", "k", "query", "training_seed"], columns="measure", values="value"
    )
    counts = values.groupby(["method", "k"]).size().to_dict()
    assert counts == {
        ("unlearning", 20): 2, ("pixel", 20): 2, ("random", 20): 2, ("no_removal", 0): 2
    }  # fmt: skip
    assert np.isfinite(values).all(axis=None)
    assert values["clip"].between(-1, 1 + 1e-6).all()
    errors = measurements.set_index("measure")["evaluation_error"]
    assert (errors["delta_loss"] > 0).all()
    assert (errors[["mse", "clip"]] == 0).all()
    estimates = pd.read_csv(results / "tables" / "estimates.csv")
    assert len(estimates) == 3 * 4
    assert set(estimates["n_queries"]) == {2}
    tuning = pd.read_csv(results / "tables" / "tuning.csv")
    assert set(tuning["method"]) == {"ascent", "random", "no_removal"}


def test_removal_sets_are_the_best_scores(results: Path) -> None:
    scores = np.load(results / "attribution" / "pixel" / "q001.npy")
    removed = np.load(results / "removal" / "pixel" / "q001" / "k20.npy")
    assert removed.dtype == np.int64
    assert set(removed) == set(np.argsort(-scores, kind="stable")[:20])


def test_figures_and_a_self_contained_report_are_made(results: Path) -> None:
    for name in (
        "measures.png",
        "measures.pdf",
        "ranking.png",
        "equivalents.pdf",
        "agreement.svg",
        "attributed/q000.png",
        "regenerated/q001.png",
    ):
        assert (results / "figures" / name).stat().st_size > 2000
    report = (results / "report.html").read_text()
    prompt = pd.read_parquet(results / "queries" / "queries.parquet")["prompt"][0]
    assert prompt in report
    for text in ("pixel", "train_vae", "retrain, random", "transformers"):  # costs, versions
        assert f"<td>{text}</td>" in report or f">{text}</th>" in report
    assert not re.search(r'(src|href)="(?!data:|#)', report)
    assert len(report) < 20e6
    assert r"\toprule" in (results / "tables" / "headline.tex").read_text()


def test_figures_are_the_same_bytes_each_time(project: Path, results: Path) -> None:
    files = [results / "figures" / f"ranking.{kind}" for kind in ("png", "pdf", "svg")]
    before = [path.read_bytes() for path in files]
    target = str(files[0].relative_to(project))
    result = snakemake(project, *TINY, "--forcerun", "plot_ranking", "--", target)
    assert result.returncode == 0, said(result)
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


def test_weights_that_are_not_kept_are_deleted_once_evaluated(project: Path, results: Path) -> None:
    config = ["--config", "counterfactual={k: [20, 25], keep_models: false}", "methods=[pixel]"]
    target = "results/tiny/evaluation/pixel/q000/k25.json"
    result = snakemake(project, *TINY, *config, "--", target)
    assert result.returncode == 0, said(result)
    assert (project / target).exists()
    assert (results / "removal" / "pixel" / "q000" / "k25.npy").exists()
    assert not list((results / "retrained" / "pixel" / "q000" / "k25").glob("*"))
