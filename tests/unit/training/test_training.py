"""Training: paired, and refusing what cannot be trained."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, normal
from leavekout.base.precision import arithmetic
from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.training import training
from leavekout.training.state import Checkpoint
from leavekout.training.stream import Samples
from leavekout.training.training import learning_rate, train, training_batches
from reference import plain_errors
from trainings import from_scratch, same, trained
from world import CPU, MODEL, TRAINING, make_data, stream_of, unet_with


def test_removing_nothing_with_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    source, again, other_seed, removed = (
        from_scratch(tmp_path / str(i), rows, seed=seed)[0]
        for i, (rows, seed) in enumerate((([], 0), ([], 0), ([], 1), ([2, 5], 0)))
    )
    assert same(source, again)
    assert not same(source, other_seed)
    assert not same(source, removed)


@pytest.mark.parametrize("held_out", [[], [3]])
def test_an_image_that_is_removed_or_held_out_has_no_effect_on_the_weights(
    tmp_path: Path, held_out: list[int]
) -> None:
    def trained_with(value: float) -> dict[str, torch.Tensor]:
        data = make_data()
        data.held_out = torch.tensor(held_out, dtype=torch.int64)
        assert data.latents.tensor is not None
        data.latents.tensor[held_out or [2]] = value
        return from_scratch(tmp_path / str(value), [2], data=data)[0]

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
        from_scratch(tmp_path / "state", model=unet_with(**change))


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


def test_the_final_loss_is_the_mean_over_the_last_tenth_of_the_steps(tmp_path: Path) -> None:
    losses: list[float] = []
    found = train(
        build_denoiser(MODEL, seed=0, device=CPU),
        build_process(MODEL),
        make_data(),
        TRAINING.model_copy(update={"epochs": 20}),
        removed=torch.tensor([1]),
        checkpoint=Checkpoint(tmp_path / "state"),
        on_step=lambda step, loss: losses.append(float(loss)),
    )
    assert found == {"steps": 30, "final_loss": pytest.approx(np.mean(losses[-3:]))}


def test_removing_every_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="K = 12 leaves nothing of 12 training images"):
        from_scratch(tmp_path, range(12))


@pytest.mark.parametrize("array", ["latents", "text"])
def test_data_that_are_not_finite_are_not_blamed_on_the_learning_rate(
    array: str, tmp_path: Path
) -> None:
    data = make_data()
    getattr(data, array).tensor[3:] = float("nan")
    with pytest.raises(InputError, match="of image 3 hold NaN or infinite values; encode"):
        trained(tmp_path / "state", data=data)


@pytest.mark.parametrize("epochs", [1, 50])  # the last step alone, or the loss too
def test_a_training_that_diverged_is_refused(tmp_path: Path, epochs: int) -> None:
    changes = {"learning_rate": 1e38, "epochs": epochs, "batch_size": 12, "warmup_steps": 0}
    config = TRAINING.model_copy(update=changes)
    with pytest.raises(InputError, match=r"lower training.learning_rate"):
        trained(tmp_path / "state", config=config)


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
    weights = [
        trained(tmp_path / "state", model=model, data=data, config=config, compiled=compiled)
        for compiled in (False, True)
    ]
    assert traced == [{"mode": "default", "fullgraph": True, "dynamic": False}]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-6)


def test_a_training_in_half_precision_follows_its_weights(
    data: EncodedData, tmp_path: Path
) -> None:
    """Inside another block of arithmetic, where autocast would keep the weights that it cast."""
    config = TRAINING.model_copy(update={"precision": "bfloat16"})
    alone = trained(tmp_path / "alone", data=data, config=config)
    with arithmetic("float32", CPU):
        assert same(trained(tmp_path / "inside", data=data, config=config), alone)


@pytest.mark.thorough
def test_a_node_that_cannot_compile_says_what_it_lacks(
    data: EncodedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any data is read: on a GPU that takes minutes."""
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "batch", lambda samples: pytest.fail("data was read"))
    with pytest.raises(InputError, match=r"hardware\.compile: .* a C compiler and Python's header"):
        trained(tmp_path / "state", data=data, compiled=True)


def test_batches_are_the_same_drawn_one_by_one_or_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU the prefetch makes the next steps while eight are computed."""
    asked: list[int] = []
    data, fetch = make_data(), EncodedData.batch

    def counted(self: EncodedData, samples: Samples) -> tuple[torch.Tensor, ...]:
        asked.append(len(samples.rows))
        return fetch(self, samples)

    monkeypatch.setattr(EncodedData, "batch", counted)
    stream = stream_of(data, removed=[4], caption_dropout=0.5)
    one_by_one = list(training_batches(data, stream, TRAINING, 2, 9))
    monkeypatch.setattr(training, "_steps_at_once", lambda device: 4)
    together = list(training_batches(data, stream, TRAINING, 2, 9))
    assert len(one_by_one) == len(together) == 7
    assert asked == [8] * 7 + [4 * 8, 3 * 8]
    for a, b in zip(one_by_one, together, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("limit", [None, 0.05])
def test_a_training_step_equals_the_plain_one(
    limit: float | None, model: Model, data64: Any, tmp_path: Path
) -> None:
    """Keys and values made once, clipping in the optimizer, a learning rate in a tensor."""
    config = TRAINING.model_copy(update={"gradient_clip": limit, "warmup_steps": 0})
    options: Any = {"model": model, "data": data64, "config": config, "double": True}
    ours = trained(tmp_path / "state", removed=(), **options)
    process, plain = build_process(model), build_denoiser(model, seed=0, device=CPU).double()
    stream = stream_of(data64, caption_dropout=config.caption_dropout)
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
    for name, theirs in plain.named_parameters():
        torch.testing.assert_close(ours[name], theirs.detach(), **close)


@pytest.mark.parametrize(("limit", "factor"), [(10.0, 1.0), (5.0, 1.0), (1.0, 0.2), (None, 1.0)])
def test_only_gradients_above_the_limit_are_scaled_to_it(
    limit: float | None, factor: float
) -> None:
    gradients = torch.tensor([3.0]), torch.tensor([4.0])  # of norm 5
    weights = [nn.Parameter(torch.zeros(1)) for _ in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    optimizer = torch.optim.SGD(weights, lr=1.0, fused=True)  # steps by the gradient itself
    training.clip(optimizer, weights, limit)
    optimizer.step()
    for weight, gradient in zip(weights, gradients, strict=True):
        assert weight.item() == pytest.approx(-factor * gradient.item(), rel=1e-5)
