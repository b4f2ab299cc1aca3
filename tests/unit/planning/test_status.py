"""How far a study is, as its jobs' logs and benchmark files tell it."""

import os
from pathlib import Path

import pytest

from leavekout.planning.bill import PlannedJob
from leavekout.planning.status import state_of, status

NOW = 1_800_000_000.0
BEGUN = '10:00:00 {"commit": "1", "params": {}}\n'
FAILED = BEGUN + "10:00:01 error: scores.npy: value 3 is NaN; score it again.\n"


def job(
    folder: Path,
    model: str,
    *,
    needed: bool = True,
    log: str | None = None,
    hours: float | None = None,
    ago: float = 0.0,
) -> PlannedJob:
    """A training with these files, of which the benchmark was written `ago` hours before now."""
    paths = [folder / f"{kind}/retrain/{model}/k5" for kind in ("logs", "benchmarks")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    if log is not None:
        paths[0].write_text(log)
        os.utime(paths[0], (NOW - 60, NOW - 60))
    if hours is not None:
        paths[1].write_text("s\n")
        os.utime(paths[1], (NOW - 3600 * ago, NOW - 3600 * ago))
    seconds = None if hours is None else 3600 * hours
    return PlannedJob(
        *("retrain", "retrain.py", needed, 1, 1, 7200.0, 0.0, seconds),
        benchmark=paths[1],
        log=paths[0],
    )


@pytest.mark.parametrize(
    ("needed", "log", "locked", "state"),
    [
        (False, FAILED + BEGUN, True, "done"),
        (True, None, True, "waiting"),
        (True, BEGUN, True, "running"),
        (True, BEGUN, False, "interrupted"),
        (True, FAILED, True, "failed"),
        (True, FAILED + BEGUN, True, "running"),  # tried again
    ],
)
def test_the_last_attempt_says_what_a_job_does(
    needed: bool, log: str | None, locked: bool, state: str, tmp_path: Path
) -> None:
    assert state_of(job(tmp_path, "m/q000", needed=needed, log=log), locked=locked) == state


def test_a_job_that_ended_once_and_must_run_again_waits(tmp_path: Path) -> None:
    assert state_of(job(tmp_path, "m/q000", log=BEGUN, hours=1), locked=True) == "waiting"


def test_a_study_says_what_is_there_and_when_it_ends(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, "clip/q000", needed=False, log=BEGUN, hours=2, ago=30),
        job(tmp_path, "clip/q001", needed=False, log=BEGUN, hours=4, ago=10),
        job(tmp_path, "dino/q000", needed=False, log=BEGUN, hours=3, ago=1),
        job(tmp_path, "dino/q001", log=FAILED),
        job(tmp_path, "random/s0", log=BEGUN),
        job(tmp_path, "random/s1"),
    ]
    said = status("mine", jobs, locked=True, now=NOW)
    assert "mine: 3 of 6 jobs done, 1 running, 1 failed, 1 waiting." in said
    # Three jobs of two expected hours, which took the median of 1, 2 and 1.5 times as long.
    assert "GPU-hours: 9.0 spent, about 9.0 left." in said
    # Since the first job of the last day began, 14 hours ago, 7 GPU-hours were spent.
    assert "the last day, 0.5 GPU-hours an hour, it ends in about 0.8 days" in said
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.split()}
    assert rows["clip"] == ["2", "0", "0", "0", "2", "of", "2"]
    assert rows["dino"] == ["1", "0", "1", "0", "1", "of", "2"]
    assert rows["random"] == ["0", "1", "0", "1", "0", "of", "2"]
    assert said.endswith("k5: scores.npy: value 3 is NaN; score it again.")
