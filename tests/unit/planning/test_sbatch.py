"""slurm/sbatch, which submits again what a cluster refuses at present."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from project import ENV, ROOT, SNAKEMAKE, copy_project

FULL = (
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
    "(job submit limit, user's size and/or time limits)"
)
TOO_LONG = FULL.replace("QOSMaxSubmitJobPerUserLimit", "QOSMaxWallDurationPerJobLimit")
GONE = "sbatch: error: Unable to contact slurm controller (connect failure)"
ARGUMENTS = ["--parsable", "--job-name", "run", "--wrap=a 'b'"]


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A folder with programs of a false cluster, which notes each submission and each pause."""
    (tmp_path / ".snakemake").mkdir()
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "sleep", 'echo "$1" >> pauses')
    return tmp_path


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def refusing(cluster: Path, said: str, times: int, then: str = "echo 17") -> None:
    """Makes the false cluster refuse some submissions."""
    (cluster / "said").write_text(said + "\n")
    body = f"""echo "$*" >> submissions
    [ "$(wc -l < submissions)" -gt {times} ] || {{ cat '{cluster}/said' >&2; exit 1; }}
    {then}"""
    program(cluster / "bin" / "sbatch", body)


def environment(cluster: Path) -> dict[str, str]:
    path = f"{cluster}/bin:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "LEAVEKOUT_SBATCH": f"{cluster}/bin/sbatch"}


def submit(cluster: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "slurm" / "sbatch", *ARGUMENTS],
        cwd=cluster,
        env=environment(cluster),
        input="",
        capture_output=True,
        text=True,
        check=False,
    )


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("said", [FULL, GONE])
def test_a_job_that_a_full_cluster_refuses_is_submitted_again(cluster: Path, said: str) -> None:
    refusing(cluster, said, times=6)
    result = submit(cluster)
    assert (result.returncode, result.stdout, result.stderr) == (0, "17\n", "")
    assert lines(cluster / "submissions") == [" ".join(ARGUMENTS)] * 7
    assert lines(cluster / "pauses") == ["30", "60", "120", "240", "300", "300"]
    [note] = lines(cluster / "logs/slurm/refused.log")
    assert "No attempt is lost" in note
    assert said.splitlines()[0] in note


def test_what_waiting_does_not_mend_fails_at_once_in_the_cluster_s_words(cluster: Path) -> None:
    refusing(cluster, TOO_LONG, times=1)
    result = submit(cluster)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", TOO_LONG + "\n")
    assert not (cluster / "pauses").exists()
    [note] = lines(cluster / "logs/slurm/refused.log")
    assert "A submission failed: sbatch: error: QOSMaxWall" in note


def test_it_gives_up_after_two_days(cluster: Path) -> None:
    refusing(cluster, FULL, times=10**6)
    assert submit(cluster).returncode == 1
    assert 48 * 3600 <= sum(map(int, lines(cluster / "pauses"))) < 49 * 3600


def test_nothing_is_submitted_after_an_interruption(cluster: Path) -> None:
    refusing(cluster, FULL, times=1)
    program(cluster / "bin" / "sleep", 'echo "$1" >> pauses; exec /bin/sleep "$1"')
    waiting = subprocess.Popen(
        [ROOT / "slurm" / "sbatch", *ARGUMENTS],
        cwd=cluster,
        env=environment(cluster),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 30
    # Not the note before: a signal between the two finds the shell alone, which then sleeps on.
    while not (cluster / "pauses").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    os.killpg(waiting.pid, signal.SIGTERM)
    assert waiting.wait(timeout=20) == 130
    # The next submissions of this run, with which Snakemake goes on.
    assert submit(cluster).returncode == 130
    assert len(lines(cluster / "submissions")) == 1


def test_snakemake_loses_no_attempt_by_refusals(cluster: Path) -> None:
    """The cluster is full for three submissions; then something else is wrong."""
    folder = copy_project(cluster / "project")
    for name in ("sacct", "scontrol"):
        program(cluster / "bin" / name, "")
    program(cluster / "bin" / "sinfo", "echo 'debug*'")
    wrong = "sbatch: error: invalid account"
    refusing(cluster, FULL, 3, f"echo '{wrong}' >&2; exit 1")
    result = subprocess.run(
        [SNAKEMAKE, "--profile", "slurm", "--configfile", "config/tiny.yaml", "--retries", "1",
         "--jobs", "1", "results/tiny/encoders/vae"],
        cwd=folder,
        env={**ENV, "PATH": f"{cluster}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.count("Trying to restart job") == 1
    assert len(lines(folder / "submissions")) == 3 + 2
    assert lines(folder / "pauses") == ["30", "60", "120"]
    notes = lines(folder / "logs/slurm/refused.log")
    assert [wrong in note for note in notes] == [False, True, True]
