"""The tiny experiment on a real SLURM of one node, undisturbed and disturbed.

Skipped, with the reason, where no such cluster can run; `make test-slurm` installs it on Debian.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from project import ENV, SNAKEMAKE, copy_project, tables
from slurm_cluster import Cluster, cluster, why_not

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no SLURM here: {REASON}")

# Small, but for trainings that last long enough to be disturbed; with a GPU for each job, as the
# node pretends to have two.
CONFIG = """
extends: tiny.yaml
experiment: tiny
methods: [pixel]
queries: { test: 1, tuning: 0 }
tuning: null
oracle: null
forgetting: null
measures: [delta_loss, mse]
counterfactual: { retrain_seeds: [], again: null, union: null }
training: { epochs: 32 }
hardware: { gpus: 1, pretend: true, checkpoint_seconds: 1 }
"""
STUDY = [
    "--profile", "slurm", "--configfile", "config/disturbed.yaml",
    # Polled more often than would be kind to a shared cluster.
    "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5",
    "--slurm-keep-successful-logs",
]  # fmt: skip
# Trainings that are thought to be long have a cluster job each.
ALONE = ["--config", "hardware={estimates: {training_per_second: 1}}"]
CELL = "pixel/q000/k20"


class Run:
    """Snakemake on the cluster, in its own session as from a login node."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.command = [SNAKEMAKE, *STUDY, *arguments]
        self.start()

    def start(self) -> None:
        with open(self.folder / "run.log", "ab") as log:
            options: Any = {"env": ENV, "stdout": log, "stderr": log, "start_new_session": True}
            self.process = subprocess.Popen(self.command, cwd=self.folder, **options)

    def finish(self) -> None:
        code = self.process.wait(timeout=600)
        assert code == 0, (self.folder / "run.log").read_text()[-5000:]


def slurm_logs(folder: Path) -> str:
    """What jobs outside of batches printed, of every attempt."""
    return "".join(path.read_text() for path in folder.glob("logs/slurm/rule_*/**/*.log"))


def signal_trainings(name: str, folder: Path) -> None:
    script = f"{folder}/.snakemake/scripts/.*retrain.py"
    subprocess.run(["pkill", f"-{name}", "-f", script], check=True)


def wait_until(condition: Callable[[], bool], run: Run) -> None:
    end = time.monotonic() + 300
    while not condition():
        log = (run.folder / "run.log").read_text()[-5000:]
        assert time.monotonic() < end, log
        assert run.process.poll() is None, log
        time.sleep(0.05)


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def study(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the study has run undisturbed, its short jobs batched."""
    folder = copy_project(tmp_path_factory.mktemp("slurm") / "undisturbed")
    (folder / "config" / "disturbed.yaml").write_text(CONFIG)
    Run(folder).finish()
    return folder


def jobs(slurm: Cluster, folder: Path) -> list[dict[str, str]]:
    """The cluster's jobs that were submitted from a folder, the latest last."""
    fields = ("JobID", "State", "ReqTRES", "QOS", "Constraints", "Comment", "WorkDir")
    lines = slurm.output_of("sacct", "-X", "-n", "-P", "-o", ",".join(fields)).splitlines()
    found = [dict(zip(fields, line.split("|"), strict=True)) for line in lines]
    return [job for job in found if job["WorkDir"] == str(folder)]


def test_every_computing_job_asks_for_a_gpu(slurm: Cluster, study: Path) -> None:
    submitted = jobs(slurm, study)
    assert {job["State"] for job in submitted} == {"COMPLETED"}
    assert all("gres/gpu=1" in job["ReqTRES"] for job in submitted)
    # Batched: a cluster job for each stage that computes; the rest ran where Snakemake runs.
    stages = {job["Comment"].split("_")[1] for job in submitted}
    assert stages == {"data", "source", "scores", "controls", "methods"}
    assert len(submitted) == 5
    assert "localrule attribute_by_pixel" in (study / "run.log").read_text()


def test_a_full_queue_costs_no_attempt(slurm: Cluster, tmp_path: Path) -> None:
    """By a QOS of the profile that lets one job into the queue, and a constraint on the node."""
    folder = copy_project(tmp_path / "narrow")
    profile = folder / "slurm" / "config.yaml"
    changed = profile.read_text().replace("# qos: my_qos", "qos: narrow")
    changed = changed.replace("# constraint: \"'a100|h100'\"", "constraint: \"'old&new'\"")
    profile.write_text(changed)
    (folder / "config" / "disturbed.yaml").write_text(CONFIG)
    encoders = [f"results/tiny/encoders/{name}" for name in ("vae", "clip")]
    Run(folder, "--retries", "0", *ALONE, "--", *encoders).finish()
    submitted = jobs(slurm, folder)
    assert [job["State"] for job in submitted] == ["COMPLETED"] * 3  # and the pixels
    assert all((job["QOS"], job["Constraints"]) == ("narrow", "old&new") for job in submitted)
    assert "QOSMaxSubmitJobPerUserLimit" in (folder / "logs/slurm/refused.log").read_text()


# What can happen to a training on a cluster. Each is called when the training of one cell has saved
# its state, with the run and the id of its job.


def cancelled(slurm: Cluster, run: Run, job: str) -> None:
    slurm.output_of("scancel", job)


def killed(slurm: Cluster, run: Run, job: str) -> None:
    """The training, and the Snakemakes around it on the node."""
    subprocess.run(["pkill", "-KILL", "-f", f"{run.folder}/"], check=True)


def out_of_time(slurm: Cluster, run: Run, job: str) -> None:
    """The training hangs until its time limit, which is near."""
    signal_trainings("STOP", run.folder)
    slurm.output_of("scontrol", "update", f"JobId={job}", "TimeLimit=1")


def requeued(slurm: Cluster, run: Run, job: str) -> None:
    slurm.output_of("scontrol", "requeue", job)


def node_restarted(slurm: Cluster, run: Run, job: str) -> None:
    slurm.stop_node()
    time.sleep(3)
    slurm.start_node()


def snakemake_killed(slurm: Cluster, run: Run, job: str) -> None:
    """Its job runs on while the restarted Snakemake submits the same job again: both compute."""
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    subprocess.run([*run.command, "--unlock"], cwd=run.folder, env=ENV, check=True)
    run.start()


def configuration_changed(slurm: Cluster, run: Run, job: str) -> None:
    """The jobs after the change refuse it; with the old configuration the run continues."""
    path = run.folder / "config" / "disturbed.yaml"
    path.write_text(CONFIG.replace("epochs: 32", "epochs: 33"))
    assert run.process.wait(timeout=600) == 1
    assert "'tiny' changed after this run had begun; stop the run" in slurm_logs(run.folder)
    path.write_text(CONFIG)
    run.start()


DISTURBANCES = [cancelled, killed, out_of_time, requeued, node_restarted]
DISTURBANCES += [snakemake_killed, configuration_changed]


def disturbed(
    slurm: Cluster, study: Path, disturb: Callable[[Cluster, Run, str], None]
) -> tuple[Path, list[dict[str, str]]]:
    """One cell of the study made again, and disturbed while it trains."""
    folder = study.parent / disturb.__name__
    shutil.copytree(study, folder, symlinks=True)
    shutil.rmtree(folder / "results" / "tiny" / "tables")
    for made in (f"retrained/{CELL}", f"logs/retrain/{CELL}.log"):
        path = folder / "results" / "tiny" / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # A job that refuses its configuration would refuse it at every retry.
    retries = ["--retries", "0"] if disturb is configuration_changed else []
    run = Run(folder, *retries, *ALONE)
    state = folder / "results" / "tiny" / "retrained" / CELL / "outcome.state.safetensors"
    wait_until(state.exists, run)
    running = slurm.output_of("squeue", "-h", "-t", "R", "-o", "%i|%k|%Z").splitlines()
    jobs_here = [line.split("|") for line in running if line.endswith(f"|{folder}")]
    (training,) = [job for job, comment, _ in jobs_here if comment.startswith("rule_retrain_")]
    disturb(slurm, run, training)
    run.finish()
    return folder, jobs(slurm, folder)


@pytest.fixture(scope="module")
def outcomes(slurm: Cluster, study: Path) -> Iterator[dict[str, Future]]:
    """All disturbed runs, several at a time, because each of them mostly waits."""
    with ThreadPoolExecutor(3) as executor:
        yield {d.__name__: executor.submit(disturbed, slurm, study, d) for d in DISTURBANCES}


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_a_disturbed_training_ends_in_the_same_tables(
    disturb: Callable, study: Path, outcomes: dict[str, Future]
) -> None:
    folder, submitted = outcomes[disturb.__name__].result()
    assert tables(folder) == tables(study)
    assert {"estimates.csv", "comparisons.csv", "lds.csv"} <= set(tables(folder))
    outcome = f"results/tiny/retrained/{CELL}/outcome.safetensors"
    assert (folder / outcome).read_bytes() == (study / outcome).read_bytes()
    log = slurm_logs(folder)
    trainings = [job for job in submitted if job["Comment"].startswith("rule_retrain_")]
    # The first job was left alone, or a second attempt resumed where the first had stopped.
    if disturb is snakemake_killed:  # the first job may end before the second is submitted
        assert len(trainings) in (1, 2)
    else:
        undisturbed = disturb in (node_restarted, configuration_changed)
        assert log.count("continues at step") == (0 if undisturbed else 1)
        assert log.count("trained, ") == 1
    if disturb is cancelled:
        assert "stopped by SIGTERM after step" in log
        assert trainings[0]["State"].startswith("CANCELLED")
    if disturb is out_of_time:
        assert "stopped by SIG" in log
    assert not list(folder.glob("results/**/.*~*"))
    assert not list(folder.rglob("*.state.safetensors"))


def test_a_controller_that_reaches_its_time_limit_starts_again(slurm: Cluster, study: Path) -> None:
    """It stops Snakemake and is requeued, and the study ends in the same tables."""
    folder = study.parent / "controlled"
    shutil.copytree(study, folder, symlinks=True)
    (folder / ".venv").symlink_to(Path(SNAKEMAKE).parents[1])
    shutil.rmtree(folder / "results" / "tiny" / "tables")
    shutil.rmtree(folder / "results" / "tiny" / "retrained" / CELL)
    state = folder / "results" / "tiny" / "retrained" / CELL / "outcome.state.safetensors"
    where = ["--parsable", "--chdir", str(folder), "--mem", "6G", "--cpus-per-task", "1"]
    script = [str(folder / "slurm" / "controller.sh"), *STUDY[2:], *ALONE]
    job = slurm.output_of("sbatch", *where, *script).strip()

    def its_state() -> str:
        return slurm.output_of("squeue", "-h", "-j", job, "-o", "%T").strip()

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 400
        while not condition():
            assert time.monotonic() < end, (folder / f"leave-k-out-{job}.log").read_text()[-5000:]
            time.sleep(0.1)

    wait(state.exists)
    slurm.output_of("scancel", "--batch", "--signal=USR1", job)
    wait(lambda: its_state() not in ("RUNNING", "COMPLETING"))
    wait(lambda: its_state() in ("", "COMPLETED"))
    assert tables(folder) == tables(study)
    # SLURM's own words of the requeue are not always in the log.
    assert (folder / f"leave-k-out-{job}.log").read_text().count("Workflow ID:") == 2


def test_two_snakemakes_train_the_models_of_one_study(slurm: Cluster, study: Path) -> None:
    """As two people would, at the same time in one folder; then one of them makes the tables."""
    folder = study.parent / "shared"
    shutil.copytree(study, folder, symlinks=True)
    shutil.rmtree(folder / "results" / "tiny" / "retrained" / "pixel")
    before = len(jobs(slurm, folder))
    people = [
        Run(folder, *ALONE, f"methods=[{method}]", "--", "cells") for method in ("pixel", "clip")
    ]
    for person in people:
        person.finish()
    trained = [job for job in jobs(slurm, folder)[before:] if "retrain" in job["Comment"]]
    cells = sorted(folder.glob("results/tiny/retrained/*/q*/k*/outcome.safetensors"))
    assert (
        len(trained)
        == len(cells)
        == 2 * len(list(study.glob("results/tiny/retrained/pixel/q*/k*")))
    )
    outcome = f"results/tiny/retrained/{CELL}/outcome.safetensors"
    assert (folder / outcome).read_bytes() == (study / outcome).read_bytes()
    submitted = len(jobs(slurm, folder))
    Run(folder, *ALONE, "methods=[pixel, clip]").finish()
    assert not [job for job in jobs(slurm, folder)[submitted:] if "retrain" in job["Comment"]]
    assert {"pixel", "clip"} <= set(
        pd.read_csv(folder / "results/tiny/tables/estimates.csv")["method"]
    )
