"""The whole DAG on the tiny experiment, in a copy of the project."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from leavekout.experiment import read_yaml, resolve
from project import copy_project, said, snakemake

TINY = ["--configfile", "config/tiny.yaml"]


def planned(folder: Path, *arguments: str) -> dict[str, int]:
    """The jobs that a run would make, by rule."""
    result = snakemake(folder, "-n", *arguments)
    output = said(result)
    assert result.returncode == 0, output
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("\n\n")[0]
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the tiny experiment has run."""
    folder = copy_project(tmp_path_factory.mktemp("project") / "copy")
    result = snakemake(
        folder, *TINY, "--report", "results/tiny/report.html", "--report-after-run", "all", "tuning"
    )
    assert result.returncode == 0, said(result)
    return folder


@pytest.fixture
def results(project: Path) -> Path:
    return project / "results" / "tiny"


def test_tables_hold_every_method_query_and_control(results: Path) -> None:
    per_query = pd.read_csv(results / "tables" / "per_query.csv")
    assert list(per_query) == ["method", "query", "k", "seed", "delta_loss", "mse", "clip"]
    counts = per_query.groupby(["method", "k"]).size().to_dict()
    assert counts == {
        ("unlearning", 20): 2, ("pixel", 20): 2, ("random", 20): 2, ("no_removal", 0): 2
    }  # fmt: skip
    assert np.isfinite(per_query[["delta_loss", "mse", "clip"]]).all(axis=None)
    assert per_query["clip"].between(-1, 1 + 1e-6).all()
    summary = pd.read_csv(results / "tables" / "leave_k_out.csv")
    assert {"method", "k", "n_queries", "delta_loss", "delta_loss_se"} <= set(summary)
    tuning = pd.read_csv(results / "tables" / "tuning.csv")
    assert set(tuning["method"]) == {"ascent", "random", "no_removal"}


def methods_of_tiny() -> list[str]:
    """Every method of the tiny experiment, and the template for added ones."""
    path = ROOT / "config" / "tiny.yaml"
    e = resolve(read_yaml(path), [path])
    named = [*e.methods, *e.unlearning, *e.embeddings, *e.influence, "edges"]
    return list(dict.fromkeys(named))


METHODS = methods_of_tiny()
# These run the code of another with other settings, so once is enough for them.
VARIANTS = {"ascent", "output", "abu-plus", "dino", "journey-trak", "d-trak"}


@pytest.fixture(scope="module")
def all_methods(project: Path) -> Path:
    """The tiny experiment with scores of every method, and a twin with its images reversed."""
    baseline = ROOT / "docs" / "baseline"
    shutil.copy(baseline / "edges.smk", project / "workflow" / "rules" / "attribution")
    shutil.copy(baseline / "attribute_by_edges.py", project / "workflow" / "scripts")

    def score(experiment: str, methods: list[str]) -> None:
        files = [f"results/{experiment}/attribution/{method}/q000.npy" for method in methods]
        result = snakemake(project, *TINY, "--config", f"experiment={experiment}", "--", *files)
        assert result.returncode == 0, said(result)
        assert "rule train_source" not in said(result)

    score("tiny", METHODS)
    twin = project / "results" / "reversed"
    shutil.copytree(project / "results" / "tiny", twin)
    for name in ("attribution", "features", "gradients", "losses/source", "evaluation"):
        shutil.rmtree(twin / name)
    for name in ("images.parquet", "pixels.npy", "latents.npy", "text.npy"):
        path = twin / "data" / name
        when = path.stat().st_mtime
        if name.endswith("npy"):
            np.save(path, np.load(path)[::-1])
        else:
            pd.read_parquet(path)[::-1].to_parquet(path, index=False)
        os.utime(path, (when, when))
    score("reversed", [method for method in METHODS if method not in VARIANTS])
    return project / "results"


@pytest.mark.parametrize("method", METHODS)
def test_method_contract(method: str, all_methods: Path) -> None:
    """Length, finite, not constant; and scores follow their images into another order."""
    scores = np.load(all_methods / "tiny" / "attribution" / method / "q000.npy")
    assert scores.dtype == np.float32
    assert scores.shape == (1797,)
    assert np.isfinite(scores).all()
    assert scores.std() > 0
    if method not in VARIANTS:
        other = np.load(all_methods / "reversed" / "attribution" / method / "q000.npy")
        np.testing.assert_allclose(other[::-1], scores, rtol=0, atol=1e-3 * scores.std())


def test_the_oracle_finds_the_group_that_matters_most(project: Path) -> None:
    """With K the size of its groups, it removes the one without which ΔL is largest."""
    target = "results/tiny/evaluation/oracle/q000/k599.json"
    result = snakemake(project, *TINY, "--", target)
    assert result.returncode == 0, said(result)
    groups = [
        json.loads((project / f"results/tiny/evaluation/group/g{g}/k599.json").read_text())
        for g in range(3)
    ]
    measured = [{row["query"]: row["delta_loss"] for row in g["queries"]}["q000"] for g in groups]
    assert len(set(measured)) == 3
    found = json.loads((project / target).read_text())["queries"][0]
    assert found["query"] == "q000"
    # The same model, measured in a batch of other queries.
    assert found["delta_loss"] == pytest.approx(max(measured), abs=1e-6)
    assert max(measured) - sorted(measured)[-2] > 1e-5
    removed = [
        set(np.load(project / f"results/tiny/removal/{path}/k599.npy"))
        for path in ("oracle/q000", f"group/g{np.argmax(measured)}")
    ]
    assert removed[0] == removed[1]


def test_the_forgetting_check_has_its_table(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "forgetting.csv")
    assert set(table["model"]) == {"unlearned"}
    assert set(table["prompts"]) == {"target", "related", "other"}
    assert np.isfinite(table[["delta_loss", "mse", "clip"]]).all(axis=None)


def test_scores_from_elsewhere_need_no_code(project: Path, tmp_path: Path) -> None:
    images = pd.read_parquet(project / "results/tiny/data/images.parquet")
    scores = np.random.default_rng(0).random(len(images))
    table = pd.DataFrame({"image_id": images["image_id"], "score": scores})
    table.sample(frac=1, random_state=0).to_parquet(tmp_path / "q000.parquet")
    np.save(tmp_path / "q001.npy", np.full(1797, np.nan, np.float32))
    config = ["--config", f"external={{mine: {tmp_path}}}"]
    result = snakemake(project, *TINY, *config, "--", "results/tiny/attribution/mine/q000.npy")
    assert result.returncode == 0, said(result)
    found = np.load(project / "results/tiny/attribution/mine/q000.npy")
    np.testing.assert_array_equal(found, scores.astype(np.float32))
    result = snakemake(project, *TINY, *config, "--", "results/tiny/attribution/mine/q001.npy")
    assert "q001.npy: method 'mine' has 1,797 scores that are NaN" in said(result)
    (project / "results/tiny/logs/attribution/mine/q001.log").unlink()  # it has no benchmark


def test_rules_from_outside_the_repository_are_included(project: Path, tmp_path: Path) -> None:
    """And their scripts import the package."""
    rule = (ROOT / "docs" / "baseline" / "edges.smk").read_text()
    rule = rule.replace("edges", "outlines").replace("../../scripts/", "")
    (tmp_path / "outlines.smk").write_text(rule)
    script = (ROOT / "docs" / "baseline" / "attribute_by_edges.py").read_text()
    (tmp_path / "attribute_by_outlines.py").write_text(script.replace('"edges"', '"outlines"'))
    config = ["--config", f"extra_rules=[{tmp_path / 'outlines.smk'}]", "methods=[outlines]"]
    target = "results/tiny/attribution/outlines/q000.npy"
    result = snakemake(project, *TINY, *config, "--", target)
    assert result.returncode == 0, said(result)
    assert (project / target).exists()


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
        "attributed/q000.png",
        "regenerated/q001.png",
    ):
        assert (results / "figures" / name).stat().st_size > 2000
    report = (results / "report.html").read_text()
    assert "measures against K" in report
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="http', report)


def test_every_job_has_a_log_and_a_benchmark(results: Path) -> None:
    logs = {p.relative_to(results / "logs").with_suffix("") for p in results.glob("logs/**/*.log")}
    benchmarks = {
        p.relative_to(results / "benchmarks").with_suffix("")
        for p in results.glob("benchmarks/**/*.tsv")
    }
    assert logs == benchmarks
    assert len(logs) > 25
    assert all('"commit"' in p.read_text() for p in results.glob("logs/**/*.log"))


def test_a_second_run_finds_nothing_to_do(project: Path) -> None:
    assert planned(project, *TINY, "--", "all", "tuning") == {}


def test_a_touched_or_edited_script_reruns_nothing(project: Path) -> None:
    later = time.time() + 10
    for path in project.glob("workflow/**/*.py"):
        os.utime(path, (later, later))
    script = project / "workflow" / "scripts" / "retrain.py"
    script.write_text(script.read_text() + "\n# a comment\n")
    assert planned(project, *TINY) == {}


def test_a_touched_big_array_reruns_nothing(project: Path, results: Path) -> None:
    later = time.time() + 10
    for name in ("latents.npy", "text.npy", "pixels.npy", "latents.json", "images.parquet"):
        os.utime(results / "data" / name, (later, later))
    assert planned(project, *TINY) == {}


def test_speed_settings_rerun_nothing(project: Path) -> None:
    config = ["--config", "hardware={forward_batch: 64, per_sample_batch: 32}"]
    assert planned(project, *TINY, *config) == {}


def test_another_k_runs_only_its_own_retrainings(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "counterfactual={k: [20, 30]}")
    assert jobs.pop("retrain") == 2 * 2  # methods x queries
    assert jobs.pop("evaluate") == 2 * 2
    assert jobs.pop("retrain_random") == jobs.pop("evaluate_control") == 1  # random, at the new K
    assert set(jobs) == {
        "tabulate", "plot_measures", "plot_ranking", "draw_regenerated", "all", "total"
    }  # fmt: skip


def test_a_changed_formula_parameter_reruns_what_depends_on_it(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "unlearning={unlearning: {step_size: 0.5}}")
    assert jobs["attribute_by_unlearning"] == 2
    assert jobs["retrain"] == 2
    assert "train_source" not in jobs
    jobs = planned(project, *TINY, "--config", "encoders={vae: {learning_rate: 0.5}}")
    assert {"train_vae", "encode_latents", "train_source", "retrain", "evaluate"} <= set(jobs)


def test_a_deleted_evaluation_runs_only_itself_and_the_tables(project: Path, results: Path) -> None:
    table = (results / "tables" / "per_query.csv").read_bytes()
    (results / "evaluation" / "pixel" / "q000" / "k20.json").unlink()
    jobs = planned(project, *TINY)
    assert jobs.pop("evaluate") == 1
    assert set(jobs) == {
        "tabulate", "plot_measures", "plot_ranking", "draw_regenerated", "all", "total"
    }  # fmt: skip
    result = snakemake(project, *TINY)
    assert result.returncode == 0, said(result)
    assert (results / "tables" / "per_query.csv").read_bytes() == table


def test_scores_that_are_not_numbers_stop_before_training(project: Path, results: Path) -> None:
    path = results / "attribution" / "pixel" / "q000.npy"
    weights = results / "retrained" / "pixel" / "q000" / "k20" / "model.safetensors"
    table = (results / "tables" / "per_query.csv").read_bytes()
    good = path.read_bytes()
    np.save(path, np.full(1797, np.nan, np.float32))
    result = snakemake(project, *TINY)
    assert result.returncode == 1
    assert "pixel/q000.npy: method 'pixel' has 1,797 scores that are NaN" in said(result)
    assert "Traceback" not in said(result)
    assert not weights.exists()
    assert "100 %" not in (results / "logs" / "retrain/pixel/q000/k20.log").read_text()
    path.write_bytes(good)
    assert snakemake(project, *TINY).returncode == 0
    assert (results / "tables" / "per_query.csv").read_bytes() == table


def test_weights_that_are_not_kept_are_deleted_once_evaluated(project: Path, results: Path) -> None:
    config = ["--config", "counterfactual={k: [20, 25], keep_models: false}", "methods=[pixel]"]
    target = "results/tiny/evaluation/pixel/q000/k25.json"
    result = snakemake(project, *TINY, *config, "--", target)
    assert result.returncode == 0, said(result)
    assert (project / target).exists()
    assert (results / "removal" / "pixel" / "q000" / "k25.npy").exists()
    assert not list((results / "retrained" / "pixel" / "q000" / "k25").glob("*"))


def test_a_data_set_that_lies_in_a_folder_is_not_made_again(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "experiment=own", "dataset={source: folder}")
    assert jobs["check_dataset"] == jobs["prepare_images"] == 1
    assert "write_digits" not in jobs


def test_an_unknown_method_is_said_before_anything_runs(project: Path) -> None:
    result = snakemake(project, "-n", *TINY, "--config", "methods=[pixel, dion]")
    assert result.returncode == 1
    assert "nothing in workflow/rules/attribution/ writes the scores of 'dion'" in said(result)


def test_a_wrong_configuration_is_said_before_anything_runs(project: Path) -> None:
    result = snakemake(project, "-n", *TINY, "--config", "training={epoch: 3}")
    assert result.returncode == 1
    assert "unknown key 'training.epoch'; the nearest known key is 'epochs'." in said(result)
    assert "Traceback" not in said(result)


def test_coco_is_planned_without_any_file(project: Path) -> None:
    jobs = planned(project, "--configfile", "config/coco.yaml")
    assert jobs["attribute_by_unlearning"] == 2 * 110
    assert jobs["attribute_by_embedding"] == 6
    assert jobs["attribute_by_influence"] == 4
    assert jobs["project_gradients"] == 20 + 1 + 1  # TRAK's ensemble, D-TRAK's and DataInf's
    assert jobs["retrain"] == jobs["evaluate"] == 13 * 110 * 3
    assert jobs["retrain_random"] == 10 * (5 + 57)
    assert jobs["retrain_without_removal"] == 19  # noise floor and ensemble share models
    assert jobs["check_queries"] == jobs["check_related"] == 110 * (1 + 1)
    assert jobs["fetch_encoder"] == 6
    assert not (project / "results" / "coco").exists()


def test_cocos_ablations_are_planned(project: Path) -> None:
    ablations = ["--configfile", "config/coco-ablations.yaml", "--config", "queries={test: 2}"]
    jobs = planned(project, *ablations)
    assert jobs["attribute_by_unlearning"] == 7 * 2
    assert jobs["estimate_fisher"] == 4  # K and V, cross-attention, attention, all
    assert jobs["source_losses"] == 2  # the loss, and ‖ε_θ‖²
    assert jobs["retrain"] == 7 * 2 * 3
