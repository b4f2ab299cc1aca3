"""What a change makes again, and what it does not."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project import TINY, planned, ran, refused


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
    names = ("latents.npy", "text.npy", "pixels.npy", "latents.json", "images.parquet")
    paths = [results / "data" / name for name in names]
    before = [path.stat() for path in paths]
    later = time.time() + 10
    for path in paths:
        os.utime(path, (later, later))
    assert planned(project, *TINY) == {}
    # Other tests copy this experiment, without Snakemake's record of its files' content.
    for path, status in zip(paths, before, strict=True):
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_speed_settings_rerun_nothing(project: Path) -> None:
    config = ["--config", "hardware={forward_batch: 64, per_sample_batch: 32}"]
    assert planned(project, *TINY, *config) == {}


# The jobs after the outcomes.
TABLES = {
    *("measure_outcomes", "tabulate_measurements", "tabulate_seeds", "estimate", "compare"),
    *("find_equivalents", "score_lds", "split_by_timestep", "write_headline", "plot"),
    *("draw_idea", "write_report"),
    *("all", "total"),
}


def test_another_k_runs_only_its_own_retrainings(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "counterfactual={k: [20, 30]}")
    # Methods x queries at the new K, a query of each trained twice, and random.
    assert jobs.pop("retrain") == 2 * 3 + 2 + 1
    assert jobs["measure_outcomes"] == 2 + 2 + 1  # two methods, their second seed, and random
    of_ks = {"tabulate_repeatability", "draw_filmstrip"}
    assert set(jobs) == TABLES | of_ks


def test_a_measure_is_added_without_training_or_scoring(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "measures=[delta_loss, mse]", "--", "all", "tuning")
    # Methods, their second seed, random, no removal and unions; the tuning's three; the
    # forgetting check's one.
    assert jobs["measure_outcomes"] == 2 + 2 + 3 + 3 + 1
    tables = {"tabulate_forgetting", "tabulate_removals"}
    assert set(jobs) == TABLES | tables | {"choose_settings", "tuning"}


def test_a_changed_formula_parameter_reruns_what_depends_on_it(project: Path) -> None:
    jobs = planned(project, *TINY, "--config", "unlearning={unlearning: {step_size: 0.5}}")
    assert jobs["attribute_by_unlearning"] == 3
    assert jobs["retrain"] == 3 + 1 + 1  # its queries, its union, and one from a second seed
    assert "train_source" not in jobs
    jobs = planned(project, *TINY, "--config", "encoders={vae: {learning_rate: 0.5}}")
    assert {"train_vae", "encode_latents", "train_source", "retrain"} <= set(jobs)
    assert "measure_outcomes" in jobs


@pytest.mark.thorough
def test_a_deleted_outcome_runs_only_itself_and_the_tables(project: Path, results: Path) -> None:
    table = (results / "tables" / "estimates.csv").read_bytes()
    (results / "retrained/pixel/q000/k20/outcome.safetensors").unlink()
    jobs = planned(project, *TINY)
    assert jobs.pop("retrain") == jobs["measure_outcomes"] == 1
    assert set(jobs) == TABLES
    ran(project, *TINY)
    assert (results / "tables" / "estimates.csv").read_bytes() == table


def test_a_data_set_in_a_folder_is_not_made_again(project: Path, tmp_path: Path) -> None:
    """Nor is anything written into it; a checksum that an older version wrote there is taken."""
    own = [*TINY, "--config", "experiment=own", "dataset={source: folder}"]
    jobs = planned(project, *own)
    assert jobs["prepare_images"] == 1
    assert not {"write_dataset", "check_dataset"} & set(jobs)
    folder = tmp_path / "pictures"
    shutil.copytree(project / "resources" / "digits", folder)
    (folder / "dataset.json").unlink()
    before = sorted(folder.rglob("*"))
    own[-1] = f"dataset={{source: folder, root: {folder}}}"
    ran(project, *own, "--", "results/own/data/dataset.json")
    assert (project / "results/own/data/dataset.json").exists()
    assert sorted(folder.rglob("*")) == before
    assert "check_dataset" not in planned(project, *own)


def test_a_study_that_was_copied_without_times_is_made_to_hold(
    project: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, copy_function=shutil.copy)
    (copy / "results/tiny/encoders/vae/.snakemake_timestamp").touch()  # copied last
    printed = ran(copy, "-n", *TINY)
    touch = "snakemake --touch --cores 1 --cores 2 --configfile config/tiny.yaml"
    assert "as after a copy without times" in printed
    assert touch in printed
    assert touch in refused(copy, *TINY)
    ran(copy, "--touch", *TINY)
    assert planned(copy, *TINY) == {}


@pytest.mark.thorough
def test_coco_is_planned_without_any_file(project: Path) -> None:
    jobs = planned(project, "--configfile", "config/coco.yaml")
    assert jobs["attribute_by_unlearning"] == 4 * 110
    assert jobs["attribute_teacher_by_unlearning"] == 100
    assert jobs["attribute_by_embeddings"] == 6
    assert jobs["attribute_by_influence"] == 7
    assert jobs["attribute_by_ekfac_influence"] == 2
    # TRAK's ensemble, and those of D-TRAK, DataInf, DAS and Motive
    assert jobs["project_gradients"] == 20 + 4
    # Methods, two topic sets of each query, and the random curve.
    assert jobs["retrain"] == (22 + 2) * 110 * 3 + 10 * (5 + 57)
    assert jobs["retrain_other_seed"] == 19  # noise floor and ensemble share models
    assert jobs["measure_outcomes"] == 22 + 3 + 1  # methods, controls, the forgetting check
    assert jobs["unlearn_query"] == 110
    assert jobs["fetch_encoder"] == 6
    assert not (project / "results" / "coco").exists()


@pytest.mark.thorough
def test_cocos_ablations_are_planned(project: Path) -> None:
    ablations = ["--configfile", "config/coco-ablations.yaml", "--config", "queries={test: 2}"]
    jobs = planned(project, *ablations)
    assert jobs["attribute_by_unlearning"] == 7 * 2
    assert jobs["estimate_curvature"] == 4  # K and V, cross-attention, attention, all
    assert jobs["source_losses"] == 2  # the loss, and ‖ε_θ‖²
    assert jobs["retrain"] == (7 + 2) * 2 * 3 + 10 * (5 + 57)  # and topics, and the random curve


# The steps in which a study grows: queries, then methods and K.
STEPS = {
    "queries": ("[pixel]", "queries: 4, k: [20]"),
    "methods and K": ("[pixel, clip]", "queries: 4, k: [20, 30]"),
}
# Of controls, random alone is removed at each K of the methods.
NEW_MODELS = {"queries": 2, "methods and K": 4 + 2 * 4 + 1}


def growing(experiment: str, methods: str, counterfactual: str) -> list[str]:
    """A study of a pool of four queries, without the tiny experiment's further removals."""
    only = f"counterfactual={{{counterfactual}, again: null, union: null}}"
    settings = [f"experiment={experiment}", "queries={test: 4}", f"methods={methods}"]
    return [*TINY, "--config", *settings, only, "forgetting=null", "tuning=null"]


@pytest.mark.thorough
def test_a_study_that_grows_equals_one_that_is_run_whole(project: Path) -> None:
    """No model is trained twice, and no table tells in which order models were trained."""
    folder = project / "results"
    # Neither study depends on how its encoders and its source model came to be.
    ran(
        project,
        *growing("grown", "[pixel]", "queries: 2, k: [20]"),
        "--",
        "results/grown/source/model.safetensors",
    )
    shutil.copytree(folder / "grown", folder / "whole")
    ran(project, *growing("grown", "[pixel]", "queries: 2, k: [20]"))
    for step, (methods, counterfactual) in STEPS.items():
        study = growing("grown", methods, counterfactual)
        jobs = planned(project, *study)
        assert jobs["retrain"] == NEW_MODELS[step]
        again = {"train_source", "sample_queries", "retrain_other_seed", "evaluate_source"}
        assert not again & set(jobs)
        ran(project, *study)
    ran(project, *growing("whole", *STEPS["methods and K"]))
    for table in (folder / "whole" / "tables").glob("*.csv"):
        if table.name != "costs.csv":
            assert table.read_bytes() == (folder / "grown" / "tables" / table.name).read_bytes()


@pytest.mark.thorough
def test_two_people_train_the_methods_of_one_study(project: Path, results: Path) -> None:
    table = (results / "tables" / "estimates.csv").read_bytes()
    methods = ("pixel", "unlearning")
    for method in methods:
        shutil.rmtree(results / "retrained" / method)
    with ThreadPoolExecutor(2) as executor:
        parts = [("--config", f"methods=[{method}]", "--", "cells") for method in methods]
        printed = list(executor.map(lambda part: ran(project, *TINY, *part), parts))
    assert [text.count("rule retrain:") for text in printed] == [3, 3]
    assert "retrain" not in planned(project, *TINY)
    ran(project, *TINY)
    assert (results / "tables" / "estimates.csv").read_bytes() == table


@pytest.mark.thorough
def test_what_has_served_is_tidied_away_and_not_made_again(project: Path, results: Path) -> None:
    trak = [*TINY, "--config", "methods=[pixel, trak]", "--"]
    ran(project, *trak, "tidy")
    assert (results / "attribution" / "trak" / "q000.npy").exists()
    assert not (results / "gradients").exists()
    assert planned(project, *trak, "tidy") == {"tidy": 1, "total": 1}
