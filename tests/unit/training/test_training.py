"""Training: paired, resumable to the same bits, and refusing what cannot be trained."""

import copy
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.errors import InputError
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.noise import Domain, normal
from leavekout.runtime.precision import arithmetic
from leavekout.runtime.tensors import load_tensors
from leavekout.training import state, training
from leavekout.training.state import resume, save_state, training_identity
from leavekout.training.stream import Stream
from leavekout.training.training import learning_rate, train, train_from_scratch, training_batches
from project import ROOT
from reference import plain_errors
from world import CPU, MODEL, SCHEDULE, TRAINING, UNET, make_data

MODEL = MODEL


def trained(path: Path, removed: list[int], **changes: Any) -> dict[str, torch.Tensor]:
    denoiser, _ = train_from_scratch(
        make_data(),
        MODEL,
        TRAINING.model_copy(update=changes),
        removed=np.array(removed, dtype=np.int64),
        state=path / "state.safetensors",
        save_state_seconds=1e9,
    )
    return denoiser.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_removing_nothing_with_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    source = trained(tmp_path / "source", [])
    assert same(source, trained(tmp_path / "again", []))
    assert not same(source, trained(tmp_path / "other_seed", [], seed=1))
    assert not same(source, trained(tmp_path / "removed", [2, 5]))


def test_a_removed_image_has_no_effect_on_the_weights(tmp_path: Path) -> None:
    def without_image_2(value: float) -> dict[str, torch.Tensor]:
        data = make_data()
        assert data.latents.tensor is not None
        data.latents.tensor[2] = value
        denoiser, _ = train_from_scratch(
            data,
            MODEL,
            TRAINING,
            removed=np.array([2]),
            state=tmp_path / str(value),
            save_state_seconds=1e9,
        )
        return denoiser.state_dict()

    assert same(without_image_2(0.0), without_image_2(5.0))


class Interrupted(Exception):
    pass


def noted_in(steps: list[int]) -> Callable[[int, torch.Tensor], None]:
    return lambda step, loss: steps.append(step)


@pytest.mark.parametrize("stop_at", [0, 2, 5])
def test_an_interrupted_training_ends_at_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    def run(state: Path, on_step: Any) -> dict[str, torch.Tensor]:
        denoiser = build_denoiser(MODEL, seed=0, device=CPU)
        train(
            denoiser,
            build_process(MODEL),
            make_data(),
            TRAINING,
            removed=torch.tensor([1]),
            state=state,
            save_state_seconds=0,
            on_step=on_step,
        )
        return denoiser.state_dict()

    def interrupt(step: int, loss: torch.Tensor) -> None:
        if step == stop_at:
            raise Interrupted

    whole = run(tmp_path / "whole", lambda step, loss: None)
    state = tmp_path / "interrupted"
    with pytest.raises(Interrupted):
        run(state, interrupt)
    first: list[int] = []
    assert same(whole, run(state, noted_in(first)))
    assert first[0] == stop_at + 1  # it continued, it did not start anew


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn
from world import *
from leavekout.models.process import build_process
from pathlib import Path
from leavekout.training.training import train
from leavekout.models.denoiser import build_denoiser
denoiser = build_denoiser(MODEL, seed=0, device=CPU)
def on_step(step, loss):
    print(step, flush=True)
    if step == 3 and sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
train(denoiser, build_process(MODEL), make_data(), TRAINING, removed=torch.tensor([1]),
      state=Path(sys.argv[1]), save_state_seconds=0, on_step=on_step)
torch.save(denoiser.state_dict(), sys.argv[1] + ".pt")
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

    def run(on_step: Any, removed: Any = (1,), schedule: float = 0.2, data: str = "") -> None:
        encoded = make_data()
        encoded.fingerprint = data
        train(
            build_denoiser(MODEL, seed=0, device=CPU),
            build_process(
                Model(
                    unet=UNET,
                    noise_schedule=SCHEDULE.model_copy(update={"beta_end": schedule}),
                )
            ),
            encoded,
            TRAINING,
            removed=torch.tensor(removed),
            state=tmp_path / "state",
            save_state_seconds=0,
            on_step=on_step,
        )

    for other in ({"removed": [2]}, {"schedule": 0.1}, {"data": "re-encoded"}):
        with pytest.raises(Interrupted):
            run(interrupt)
        steps: list[int] = []
        run(noted_in(steps), **other)
        assert steps[0] == 0
        (tmp_path / "state").unlink()


def test_a_truncated_state_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    steps: list[int] = []
    denoiser = build_denoiser(MODEL, seed=0, device=CPU)
    train(
        denoiser,
        build_process(MODEL),
        make_data(),
        TRAINING,
        removed=torch.empty(0, dtype=torch.int64),
        state=tmp_path / "state",
        save_state_seconds=1e9,
        on_step=noted_in(steps),
    )
    assert steps[0] == 0


def test_a_finished_training_is_not_lost_before_its_outcome_is_written(tmp_path: Path) -> None:
    state, steps = tmp_path / "state.safetensors", TRAINING.steps(12, 0)
    arguments: dict[str, Any] = {
        "removed": np.empty(0, np.int64),
        "state": state,
        "save_state_seconds": 0,
    }
    first, _ = train_from_scratch(make_data(), MODEL, TRAINING, **arguments)
    assert load_tensors(state)[1]["step"] == steps  # and the job is killed here
    again, notes = train_from_scratch(make_data(), MODEL, TRAINING, **arguments)
    assert same(first.state_dict(), again.state_dict())
    assert notes["final_loss"] is None  # no step was left to take


def test_rows_that_are_no_training_images_are_left_out(tmp_path: Path) -> None:
    def trained_with(value: float) -> dict[str, torch.Tensor]:
        data = make_data()
        data.held_out = torch.tensor([3])
        assert data.latents.tensor is not None
        data.latents.tensor[3] = value
        denoiser, _ = train_from_scratch(
            data,
            MODEL,
            TRAINING,
            removed=np.array([2]),
            state=tmp_path / str(value),
            save_state_seconds=1e9,
        )
        return denoiser.state_dict()

    assert same(trained_with(0.0), trained_with(5.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_size": 8}, r"takes latents of shape \(4, 8, 8\)"),
        ({"cross_attention_dim": 7}, "takes text states of width 7, but"),
    ],
)
def test_a_denoiser_of_another_geometry_than_the_data_is_refused(
    tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_from_scratch(
            make_data(),
            Model(unet={**UNET, **change}, noise_schedule=SCHEDULE),
            TRAINING,
            removed=np.empty(0, np.int64),
            state=tmp_path / "state",
            save_state_seconds=1,
        )


def test_keeping_epochs_shortens_training_and_keeping_steps_does_not() -> None:
    epochs = TRAINING.model_copy(update={"when_removing": "keep_epochs"})
    assert TRAINING.steps(100, 50) == TRAINING.steps(100, 0) == 6 * 100 // 8
    assert epochs.steps(100, 50) == 6 * 50 // 8
    assert epochs.steps(100, 0) == TRAINING.steps(100, 0)


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(TRAINING, step, 10) for step in range(11)]
    assert rates[0] == 0.5e-3
    assert rates[2] == 1e-3
    assert rates[10] == pytest.approx(0)
    constant = TRAINING.model_copy(update={"learning_rate_schedule": "constant"})
    assert learning_rate(constant, 10, 10) == 1e-3


def test_removing_every_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="K = 12 leaves nothing of 12 training images"):
        trained(tmp_path, list(range(12)))


def test_a_loss_that_is_not_a_number_is_said(tmp_path: Path) -> None:
    data = make_data()
    assert data.latents.tensor is not None
    data.latents.tensor[:] = float("nan")
    with pytest.raises(InputError, match=r"the loss is nan at step 0; lower"):
        train(
            build_denoiser(MODEL, seed=0, device=CPU),
            build_process(MODEL),
            data,
            TRAINING,
            removed=torch.tensor([1]),
            state=tmp_path / "state",
            save_state_seconds=1e9,
        )


@pytest.mark.thorough
def test_a_compiled_training_is_the_same(
    model: Model, data: EncodedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced as one graph, forward and backward. (Generating code takes too long for a test.)"""
    compile_ = torch.compile
    traced: list[dict[str, Any]] = []

    def trace(module: Any, *, mode: str, **options: Any) -> Any:
        traced.append({"mode": mode, **options})
        return compile_(module, backend="aot_eager", **options)

    monkeypatch.setattr(torch, "compile", trace)
    config = TRAINING.model_copy(update={"epochs": 2})
    weights = []
    for compiled in (False, True):
        denoiser = build_denoiser(model, seed=0, device=CPU)
        train(
            denoiser,
            build_process(model),
            data,
            config,
            removed=torch.tensor([1]),
            state=tmp_path / "state",
            save_state_seconds=1e9,
            compiled=compiled,
        )
        weights.append(denoiser.state_dict())
    assert traced == [{"mode": "default", "fullgraph": True, "dynamic": False}]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-6)


def test_a_training_in_half_precision_follows_its_weights(
    data: EncodedData, tmp_path: Path
) -> None:
    """Inside another block of arithmetic, where autocast would keep the weights that it cast."""
    config = TRAINING.model_copy(update={"precision": "bfloat16"})

    def trained(name: str) -> dict[str, torch.Tensor]:
        denoiser = build_denoiser(MODEL, seed=0, device=CPU)
        train(
            denoiser,
            build_process(MODEL),
            data,
            config,
            removed=torch.tensor([1]),
            state=tmp_path / name,
            save_state_seconds=1e9,
        )
        return denoiser.state_dict()

    alone = trained("alone")
    with arithmetic("float32", CPU):
        assert same(trained("inside"), alone)


@pytest.mark.thorough
def test_a_node_that_cannot_compile_says_what_it_lacks(
    data: EncodedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any data is read, which on a GPU takes minutes."""
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "batch", lambda samples: pytest.fail("data was read"))
    with pytest.raises(InputError, match=r"hardware\.compile: .* a C compiler and Python's header"):
        train(
            build_denoiser(MODEL, seed=0, device=CPU),
            build_process(MODEL),
            data,
            TRAINING,
            removed=torch.tensor([1]),
            state=tmp_path / "state",
            save_state_seconds=1e9,
            compiled=True,
        )


def test_a_state_of_other_hardware_is_not_continued(
    data: EncodedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last bits are of another GPU's kernels, or of compiled ones."""
    denoiser, process = build_denoiser(MODEL, seed=0, device=CPU), build_process(MODEL)

    def identity(*, compiled: bool) -> str:
        removed = torch.tensor([1])
        return training_identity(denoiser, process, data, TRAINING, removed, compiled=compiled)

    one = identity(compiled=False)
    assert identity(compiled=False) == one != identity(compiled=True)
    monkeypatch.setattr(state, "device_name", lambda device: "NVIDIA H200")
    assert identity(compiled=False) != one


def test_a_state_of_another_gpu_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    denoiser = build_denoiser(MODEL, seed=0, device=CPU)
    optimizer = torch.optim.AdamW(denoiser.parameters(), 1e-3)
    monkeypatch.setattr(state, "device_name", lambda device: "NVIDIA H100")
    save_state(denoiser, optimizer, tmp_path / "state", "one", 3)
    said: list[str] = []
    monkeypatch.setattr(state.logger, "warning", lambda text, *values: said.append(text % values))
    assert resume(denoiser, optimizer, tmp_path / "state", "another") == 0
    monkeypatch.setattr(state, "device_name", lambda device: "NVIDIA H200")
    assert resume(denoiser, optimizer, tmp_path / "state", "another") == 0
    assert "the configuration changed" in said[0]
    assert "from NVIDIA H100, and this is NVIDIA H200" in said[1]


def test_a_resumed_optimizer_has_the_layout_of_its_parameters(tmp_path: Path) -> None:
    """On a GPU weights lie with channels last, and the fused step takes nothing else."""
    unets = [build_denoiser(MODEL, seed=0, device=CPU) for _ in range(2)]
    optimizers = []
    for denoiser in unets:
        denoiser.to(memory_format=torch.channels_last)
        optimizers.append(torch.optim.AdamW(denoiser.parameters(), 1e-3, fused=True))
    for parameter in unets[0].parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizers[0].step()
    save_state(unets[0], optimizers[0], tmp_path / "state", "this", 3)
    assert resume(unets[1], optimizers[1], tmp_path / "state", "this") == 3
    for old, new in zip(unets[0].parameters(), unets[1].parameters(), strict=True):
        for key in ("exp_avg", "exp_avg_sq"):
            found = optimizers[1].state[new][key]
            assert found.stride() == new.stride()
            assert torch.equal(found, optimizers[0].state[old][key])


def test_batches_are_the_same_drawn_one_by_one_or_together(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data()
    stream = Stream(
        images=12,
        flips=2,
        captions=3,
        timesteps=20,
        caption_dropout=0.5,
        removed=torch.tensor([4]),
        seed=0,
        domain=Domain.TRAINING,
    )
    one_by_one = list(training_batches(data, stream, TRAINING, 2, 9))
    monkeypatch.setattr(training, "_steps_at_once", lambda device: 4)
    together = list(training_batches(data, stream, TRAINING, 2, 9))
    assert len(one_by_one) == len(together) == 7
    for a, b in zip(one_by_one, together, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("limit", [None, 0.05])
def test_a_training_step_equals_the_plain_one(
    limit: float | None, model: Model, data64: Any, tmp_path: Path
) -> None:
    """Keys and values made once, clipping in the optimizer, a learning rate in a tensor."""
    config = TRAINING.model_copy(update={"gradient_clip": limit, "warmup_steps": 0})
    process, started = build_process(model), [build_denoiser(model, seed=0, device=CPU).double()]
    plain = copy.deepcopy(started[0])
    train(
        started[0],
        process,
        data64,
        config,
        removed=torch.empty(0, dtype=torch.int64),
        state=tmp_path / "state",
        save_state_seconds=1e9,
    )
    stream = Stream(
        images=data64.images,
        flips=data64.flips,
        captions=data64.captions,
        timesteps=process.timesteps,
        caption_dropout=config.caption_dropout,
        removed=torch.empty(0, dtype=torch.int64),
        seed=config.seed,
        domain=Domain.TRAINING,
    )
    optimizer = torch.optim.AdamW(plain.parameters(), 1.0, weight_decay=config.weight_decay)
    steps, norms = config.steps(data64.images, 0), []
    for step in range(steps):
        z = stream.samples(step * 8, step * 8 + 8)
        x0, text = data64.batch(z)
        noise = normal(config.seed, Domain.TRAINING, z.positions, shape=(4, 4, 4))
        error, _ = plain_errors(plain, process, x0, z.timesteps, noise, text)
        optimizer.param_groups[0]["lr"] = learning_rate(config, step, steps)
        optimizer.zero_grad()
        error.square().flatten(1).mean(1).mean().backward()
        norms.append(float(nn.utils.clip_grad_norm_(plain.parameters(), limit or math.inf)))
        optimizer.step()
    assert min(norms) > 0.05  # it is clipped
    # The optimizer takes what it divides gradients by in single precision.
    close: Any = {"rtol": 1e-12, "atol": 1e-12} if limit is None else {"rtol": 1e-5, "atol": 1e-7}
    for ours, theirs in zip(started[0].parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, **close)
