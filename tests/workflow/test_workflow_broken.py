"""Broken input and broken artifacts, met by the whole workflow."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from project import IMAGES, TINY, planned, ran, refused, snakemake


def test_scores_that_are_not_numbers_stop_before_training(project: Path, results: Path) -> None:
    path = results / "attribution" / "pixel" / "q000.npy"
    outcome = results / "retrained" / "pixel" / "q000" / "k20" / "outcome.safetensors"
    table = (results / "tables" / "estimates.csv").read_bytes()
    good = path.read_bytes()
    np.save(path, np.full(IMAGES, np.nan, np.float32))
    assert "pixel/q000.npy: method 'pixel' has 450 scores that are NaN" in refused(project, *TINY)
    assert not outcome.exists()
    assert "100 %" not in (results / "logs" / "retrain/pixel/q000/k20.log").read_text()
    path.write_bytes(good)
    assert snakemake(project, *TINY).returncode == 0
    assert (results / "tables" / "estimates.csv").read_bytes() == table


@pytest.mark.thorough
def test_measures_refuse_a_truncated_outcome(project: Path, results: Path) -> None:
    path = results / "retrained" / "pixel" / "q000" / "k20" / "outcome.safetensors"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert "k20/outcome.safetensors: not a complete outcome" in refused(project, *TINY)
    path.write_bytes(good)
    assert snakemake(project, *TINY).returncode == 0


def test_an_unknown_measure_is_refused_before_anything_runs(project: Path) -> None:
    printed = refused(project, "-n", *TINY, "--config", "measures=[mse, lpips]")
    assert "'lpips' is not a measure; the measures are clip, delta_log_loss" in printed


def test_an_unknown_method_is_refused_before_anything_runs(project: Path) -> None:
    printed = refused(project, "-n", *TINY, "--config", "methods=[pixel, unlearnig]")
    assert "there is no method 'unlearnig'; the nearest is 'unlearning'" in printed


def test_a_wrong_configuration_is_refused_before_anything_runs(project: Path) -> None:
    printed = refused(project, "-n", *TINY, "--config", "training={epoch: 3}")
    assert "unknown key 'training.epoch'; the nearest known key is 'epochs'." in printed


@pytest.mark.thorough
def test_truncated_artifacts_are_refused_and_nothing_else_is_harmed(
    project: Path, results: Path
) -> None:
    """A retraining that reads one fails in one sentence; with the file restored, it runs."""
    other = results / "retrained" / "pixel" / "q000" / "k20" / "outcome.safetensors"
    table = (results / "tables" / "estimates.csv").read_bytes()
    target = "results/tiny/retrained/pixel/q001/k20/outcome.safetensors"
    for name, kind in (("latents.npy", "npy array"), ("images.parquet", "parquet file")):
        path = results / "data" / name
        good, when = path.read_bytes(), path.stat().st_mtime
        path.write_bytes(good[: len(good) // 2])
        os.utime(path, (when, when))
        printed = refused(project, *TINY, "--forcerun", "retrain", "--", target)
        assert f"data/{name}: not a complete {kind}" in printed
        assert other.exists()
        assert (results / "tables" / "estimates.csv").read_bytes() == table
        path.write_bytes(good)
        os.utime(path, (when, when))
    ran(project, *TINY)
    assert (results / "tables" / "estimates.csv").read_bytes() == table


def test_the_bill_counts_what_is_done_and_what_is_left(project: Path, results: Path) -> None:
    printed = ran(project, *TINY, "--config", "counterfactual={k: [20, 30]}", "--", "plan")
    # done, CPU-hours spent, to do, CPU-hours to come, disk
    row = re.search(r"^retrain +(\d+) +\S+ +(\d+) +\S+ +\S+ +benchmarks$", printed, re.M)
    assert row is not None, printed
    # Two methods, three queries, two of them trained twice, random and two unions; and all but the
    # unions for the other K.
    assert row.groups() == ("11", "9")
    assert "Done:" in (results / "logs" / "plan.log").read_text()
    (results / "logs" / "plan.log").unlink()  # it has no benchmark
    assert planned(project, *TINY, "--", "fetch") == {}


@pytest.mark.thorough
def test_a_missing_gpu_is_refused(project: Path, results: Path) -> None:
    """The first job that computes stops; it does not compute on the CPU instead."""
    path = results / "losses" / "source" / "loss.npy"
    target, before = str(path.relative_to(project)), path.read_bytes()
    asks = ["--config", "hardware={gpus: 1}", "--forcerun", "source_losses", "--", target]
    printed = refused(project, *TINY, *asks)
    assert "this job asks for a GPU, but PyTorch" in printed
    assert "Set 'hardware.gpus' to 0 to compute on the CPU." in printed
    pretended = ["--config", "hardware={gpus: 1, pretend: true}", "--", target]
    assert snakemake(project, *TINY, *pretended).returncode == 0
    assert path.read_bytes() == before
