"""Signals, full disks and leftovers."""

import ctypes
import errno
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from leavekout.base import artifacts
from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import remove_leftovers, stop_request
from leavekout.base.job import device_of, job
from leavekout.base.tensors import save_tensors
from project import ROOT
from small_disk import small_disk
from trainings import same, trained

PATHS = os.pathsep.join([str(ROOT / "workflow" / "scripts"), str(ROOT / "tests" / "support")])
ENV = {**os.environ, "PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_training_stopped_by_a_signal_resumes_to_the_same_bits(
    tmp_path: Path, number: signal.Signals
) -> None:
    def run(state: str, stop_at: int | None = None) -> tuple[dict[str, torch.Tensor], list[int]]:
        steps: list[int] = []

        def on_step(step: int, loss: torch.Tensor) -> None:
            steps.append(step)
            if step == stop_at:
                os.kill(os.getpid(), number)

        return trained(tmp_path / state, on_step=on_step), steps

    whole, _ = run("whole")
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=rf"stopped by {number.name} after step 5 of 9; its"):
        run("stopped", stop_at=3)  # noticed at the end of the step after
    assert signal.getsignal(number) == before
    resumed, steps = run("stopped")
    assert steps[0] == 5
    assert same(whole, resumed)


def test_a_signal_after_the_block_has_its_default_action() -> None:
    with stop_request() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.by is signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


JOB = """
import sys
from types import SimpleNamespace as Space
from leavekout.base.job import job
from leavekout.base.errors import Interrupted
files = {"log": ["a.log"], "input": [], "output": ["out.txt"]}
with job(Space(**files, params={}, wildcards=None, resources={})):
    raise Interrupted("stopped", int(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_job_ends_with_the_signals_status(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", JOB, str(int(number))]
    job = subprocess.run(
        command, cwd=tmp_path, env=ENV, text=True, capture_output=True, check=False
    )
    assert job.returncode == 128 + number
    assert "Traceback" not in job.stderr


def test_leftovers_of_dead_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = platform.node()

    def temporary(name: str, host: str = here, pid: int = ended.pid) -> Path:
        return tmp_path / f".{host}~{pid}~01234567~{name}"

    other_host = temporary("k5.json", host="elsewhere")
    keep = [
        tmp_path / "k5.json",
        tmp_path / "model.state.safetensors",
        temporary("k50.json"),  # of another job
        temporary("k5.json", pid=os.getpid()),  # of a process that lives
        other_host,
    ]
    left = [temporary("k5.json"), temporary("model.safetensors"), temporary(keep[1].name)]
    for path in keep + left:
        path.touch()
    temporary("vae").mkdir()
    (temporary("vae") / "config.json").touch()
    outputs = [tmp_path / name for name in ("k5.json", "model.safetensors", "vae")]
    remove_leftovers(outputs)
    assert sorted(tmp_path.iterdir()) == sorted(keep)
    os.utime(other_host, (0, 0))  # nobody has written to it for long
    remove_leftovers(outputs)
    assert not other_host.exists()
    mine = artifacts.temporary_beside(tmp_path / "k5.json")
    assert mine.name.startswith(f".{here}~{os.getpid()}~")


def test_two_jobs_may_write_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill of Snakemake alone: its jobs run on, and are started again."""
    path = tmp_path / "vae"

    def write(between: Callable[[], None] = lambda: None) -> None:
        with artifacts.atomic_folder(path) as folder:
            (folder / "config.json").touch()
            between()

    write(between=write)
    assert [file.name for file in path.iterdir()] == ["config.json"]
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        """Another job writes the folder while this one is about to."""
        if target == path:
            monkeypatch.undo()
            write()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    write()
    assert [file.name for file in path.iterdir()] == ["config.json"]
    assert os.listdir(tmp_path) == ["vae"]


def test_a_kill_leaves_no_half_of_a_folder_that_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vae"
    (path / "part").mkdir(parents=True)

    def killed(folder: Path, ignore_errors: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt), artifacts.atomic_folder(path) as folder:
        (folder / "config.json").touch()
    assert [file.name for file in path.iterdir()] == ["config.json"]  # not a part of the old one


@pytest.mark.parametrize("resources", [{"on_gpu": 1}, {"gpu": 0, "on_gpu": 1}])
def test_a_job_that_asks_for_a_gpu_never_computes_on_the_cpu_instead(
    monkeypatch: pytest.MonkeyPatch, resources: dict[str, int]
) -> None:
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    assert device_of(resources).type == "cuda"

    def old_driver() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found 12020). Update it.")

    monkeypatch.setattr(torch.cuda, "init", old_driver)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    sentence = r"too old \(found 12020\)\. .* version 580 or newer; for .* make setup CUDA=12\. "
    with pytest.raises(InputError, match=sentence):
        device_of(resources)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    with pytest.raises(InputError, match=r"CUDA 12.8, .* version 525 or newer\. Set"):
        device_of(resources)
    assert device_of({"gpu": 1, "on_gpu": 0}).type == "cpu"  # pretended


@pytest.mark.parametrize("error", [None, errno.EOPNOTSUPP])
def test_an_array_s_disk_space_is_reserved_on_any_file_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: int | None
) -> None:
    if error:

        class Library:
            def fallocate(self, *arguments: object) -> int:
                ctypes.set_errno(error or 0)
                return -1

        monkeypatch.setattr(artifacts.ctypes, "CDLL", lambda *_, **__: Library())
        monkeypatch.setattr(artifacts, "_PIECE", 1000)
    array = artifacts.create_npy(tmp_path / "a.npy", np.float32, (50, 21))
    assert array.shape == (50, 21)
    assert not array.any()
    taken = (tmp_path / "a.npy").stat()
    assert taken.st_blocks * 512 >= taken.st_size > 50 * 21 * 4


def test_a_full_disk_is_one_sentence_and_harms_no_artifact(tmp_path: Path) -> None:
    big = np.zeros(100_000)
    artifacts.save_npy(tmp_path / "a.npy", big + 1)
    save_tensors(tmp_path / "a.safetensors", {"x": torch.ones(1000)})
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with small_disk(10_000):
        with pytest.raises(InputError, match=r"a\.npy: cannot be written \(the disk is full"):
            artifacts.save_npy(tmp_path / "a.npy", big)
        with pytest.raises(InputError, match=r"a\.safetensors: cannot be written \(.*too large"):
            save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(100_000)})
        with (
            pytest.raises(InputError, match=r"b\.npy: cannot be written"),
            artifacts.atomic(tmp_path / "b.npy") as temporary,
        ):
            artifacts.create_npy(temporary, np.float32, (1000, 1000))  # before it is computed
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_training_continues_when_its_state_cannot_be_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[int] = []
    with small_disk(1000), caplog.at_level("WARNING", "leavekout"):
        trained(
            tmp_path / "state", save_state_seconds=0, on_step=lambda step, loss: steps.append(step)
        )
    assert steps == list(range(9))
    assert "Training continues; a kill would lose it." in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_a_library_is_one_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    description = SimpleNamespace(
        log=["a.log"], params={}, input=[], output=[], wildcards=None, resources={}
    )
    with pytest.raises(SystemExit), job(description):
        raise OSError(errno.ENOSPC, "No space left on device", "encoders/vae")
    printed = capsys.readouterr().err
    assert "error: encoders/vae: the disk is full (No space left on device)." in printed
    assert "Traceback" not in printed
