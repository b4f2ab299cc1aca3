"""Jobs of one machine share its GPUs: never more on one than it may have, and none is lost."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from leavekout.base.devices import claim_gpu
from project import ROOT

CLAIMS = """
import os, sys, time
from pathlib import Path
from leavekout.base.devices import claim_gpu
claimed = claim_gpu(jobs_per_gpu=int(sys.argv[1]), folder=Path(sys.argv[2]))
assert claimed == os.environ["CUDA_VISIBLE_DEVICES"]
print(claimed, flush=True)
time.sleep(60)
"""


class Machine:
    """Pretended GPUs and the jobs that claim them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: list[subprocess.Popen[str]] = []

    def start(self, *, jobs_per_gpu: int, gpus: str = "0, GPU-8a,2") -> subprocess.Popen[str]:
        """Starts a job that claims a GPU, says which, and holds it."""
        paths = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "CUDA_VISIBLE_DEVICES": gpus}
        started = subprocess.Popen(
            [sys.executable, "-c", CLAIMS, str(jobs_per_gpu), str(self.folder)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | paths,
        )
        self.jobs.append(started)
        return started


def said(job: subprocess.Popen[str]) -> str:
    assert job.stdout is not None
    return job.stdout.readline().strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for job in machine.jobs:
        job.kill()
        job.communicate()


def test_no_two_jobs_take_the_same_gpu(machine: Machine) -> None:
    jobs = [machine.start(jobs_per_gpu=1) for _ in range(3)]
    assert {said(job) for job in jobs} == {"0", "GPU-8a", "2"}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_waits_for_a_gpu_and_takes_that_of_a_killed_one(
    machine: Machine, how: signal.Signals
) -> None:
    jobs = [machine.start(jobs_per_gpu=1) for _ in range(3)]
    taken = [said(job) for job in jobs]
    waiting = machine.start(jobs_per_gpu=1)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=0.5)
    jobs[1].send_signal(how)
    assert said(waiting) == taken[1]


def test_several_jobs_on_a_gpu_are_spread(machine: Machine) -> None:
    first = [said(machine.start(jobs_per_gpu=2)) for _ in range(3)]
    assert len(set(first)) == 3
    rest = [said(machine.start(jobs_per_gpu=2)) for _ in range(3)]
    assert Counter(first + rest) == {"0": 2, "GPU-8a": 2, "2": 2}


@pytest.mark.parametrize("gpus", ["3", ""])
def test_there_is_nothing_to_choose_among_one_or_none(
    gpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    assert claim_gpu(jobs_per_gpu=1, folder=tmp_path) is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == gpus
    assert not list(tmp_path.iterdir())
