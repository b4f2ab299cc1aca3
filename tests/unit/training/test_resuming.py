"""A training that is stopped anywhere ends at the same bits, and continues no state but its own."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.base.tensors import load_tensors
from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.training import state
from leavekout.training.state import Checkpoint, resume, save_state, training_identity
from project import ROOT
from trainings import from_scratch, same, trained
from world import CPU, MODEL, SCHEDULE, TRAINING, UNET, make_data


class Interrupted(Exception):
    pass


def noted_in(steps: list[int]) -> Callable[[int, torch.Tensor], None]:
    return lambda step, loss: steps.append(step)


@pytest.mark.parametrize("stop_at", [0, 2, 5])
def test_an_interrupted_training_ends_at_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    def interrupt(step: int, loss: torch.Tensor) -> None:
        if step == stop_at:
            raise Interrupted

    whole = trained(tmp_path / "whole")
    state = tmp_path / "interrupted"
    with pytest.raises(Interrupted):
        trained(state, on_step=interrupt, save_state_seconds=0)
    first: list[int] = []
    assert same(whole, trained(state, on_step=noted_in(first)))
    assert first[0] == stop_at + 1  # it continued, it did not start anew


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from trainings import trained
def on_step(step, loss):
    print(step, flush=True)
    if step == 3 and sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
weights = trained(Path(sys.argv[1]), save_state_seconds=0, on_step=on_step)
torch.save(weights, sys.argv[1] + ".pt")
"""


@pytest.mark.thorough
def test_a_training_killed_with_sigkill_ends_at_the_same_bits(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "workflow" / "scripts"), str(ROOT / "tests" / "support")])

    def run(state: str, how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / state), how],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("whole", "finish").returncode == 0
    assert run("killed", "kill").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.pt").exists()
    resumed = run("killed", "finish")
    assert resumed.stdout.split()[0] == "4"
    assert same(torch.load(tmp_path / "whole.pt"), torch.load(tmp_path / "killed.pt"))


def test_the_state_of_another_training_is_not_continued(tmp_path: Path) -> None:
    def interrupt(step: int, loss: torch.Tensor) -> None:
        if step == 2:
            raise Interrupted

    def run(on_step: Any, schedule: float = 0.2, fingerprint: str = "", **options: Any) -> None:
        noise_schedule = SCHEDULE.model_copy(update={"beta_end": schedule})
        model, data = Model(unet=UNET, noise_schedule=noise_schedule), make_data()
        data.fingerprint = fingerprint
        options |= {"model": model, "data": data, "save_state_seconds": 0, "on_step": on_step}
        trained(tmp_path / "state", **options)

    for other in ({"removed": (2,)}, {"schedule": 0.1}, {"fingerprint": "re-encoded"}):
        with pytest.raises(Interrupted):
            run(interrupt)
        steps: list[int] = []
        run(noted_in(steps), **other)
        assert steps[0] == 0
        (tmp_path / "state").unlink()


def test_a_truncated_state_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    steps: list[int] = []
    trained(tmp_path / "state", on_step=noted_in(steps))
    assert steps[0] == 0


def test_a_finished_training_is_not_lost_before_its_outcome_is_written(tmp_path: Path) -> None:
    state, steps = tmp_path / "state.safetensors", TRAINING.steps(12, 0)
    first, notes = from_scratch(state, save_state_seconds=0)
    assert load_tensors(state)[1]["step"] == steps  # and the job is killed here
    again, same_notes = from_scratch(state, save_state_seconds=0)
    assert same(first, again)
    assert notes == same_notes  # although no step was left to take


def test_a_state_of_a_compiled_training_is_not_continued(data: EncodedData) -> None:
    """Compiled kernels round differently."""
    denoiser, process = build_denoiser(MODEL, seed=0, device=CPU), build_process(MODEL)

    def identity(*, compiled: bool) -> str:
        removed = torch.tensor([1])
        return training_identity(denoiser, process, data, TRAINING, removed, compiled=compiled)

    assert identity(compiled=False) == identity(compiled=False) != identity(compiled=True)


def test_a_training_asks_before_it_resumes_on_another_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    denoiser = build_denoiser(MODEL, seed=0, device=CPU)
    optimizer = torch.optim.AdamW(denoiser.parameters(), 1e-3)
    losses = deque([torch.ones(())])
    ours = Checkpoint(tmp_path / "state")
    monkeypatch.setattr(state, "device_name", lambda device: "NVIDIA H100")
    save_state(denoiser, optimizer, losses, ours, "one", 3)
    with caplog.at_level("WARNING", "leavekout"):
        assert resume(denoiser, optimizer, losses, ours, "another") == 0
    assert "other settings" in caplog.text
    assert resume(denoiser, optimizer, losses, ours, "one") == 3
    monkeypatch.setattr(state, "device_name", lambda device: "NVIDIA H200")
    with pytest.raises(InputError, match="began on NVIDIA H100, and this is NVIDIA H200"):
        resume(denoiser, optimizer, losses, ours, "one")
    assert resume(denoiser, optimizer, losses, replace(ours, on_any_gpu=True), "one") == 3


def test_a_resumed_optimizer_has_the_layout_of_its_parameters(tmp_path: Path) -> None:
    """On a GPU weights have channels last, and the fused step accepts nothing else."""
    unets = [build_denoiser(MODEL, seed=0, device=CPU) for _ in range(2)]
    optimizers = []
    for denoiser in unets:
        denoiser.to(memory_format=torch.channels_last)
        optimizers.append(torch.optim.AdamW(denoiser.parameters(), 1e-3, fused=True))
    for parameter in unets[0].parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizers[0].step()
    losses = deque([torch.ones(())])
    checkpoint = Checkpoint(tmp_path / "state")
    save_state(unets[0], optimizers[0], losses, checkpoint, "this", 3)
    assert resume(unets[1], optimizers[1], losses, checkpoint, "this") == 3
    for old, new in zip(unets[0].parameters(), unets[1].parameters(), strict=True):
        for key in ("exp_avg", "exp_avg_sq"):
            found = optimizers[1].state[new][key]
            assert found.stride() == new.stride()
            assert torch.equal(found, optimizers[0].state[old][key])
