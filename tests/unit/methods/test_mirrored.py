"""Mirrored unlearning against a plain loop."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.methods.unlearning.mirrored import mirrored_ascent, null_loss, training_batches
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.models.denoiser import select_weights
from reference import plain_errors
from world import CPU, make_data, one_query

CONFIG = Unlearning(
    weights="feed_forward", step="mirrored", step_size=0.01, steps=3, gradient_samples=4, seed=6
)


def query(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    row = torch.tensor([2])
    return data.latents[row, torch.tensor([0])][0], data.text[row, torch.tensor([1])][0]


def unlearned(denoiser: Any, process: Any, data: Any, null: float, **changes: Any) -> int:
    config = CONFIG.model_copy(update=changes)
    return mirrored_ascent(denoiser, process, data, one_query(*query(data), 77), config, null=null)


def test_a_few_steps_equal_a_plain_loop(denoiser64: Any, process: Any) -> None:
    data = make_data(dtype=torch.float64)
    plain = copy.deepcopy(denoiser64)
    null = 0.9  # low enough to bound some of the query's losses
    latent, text = query(data)
    names = list(select_weights(plain, "feed_forward"))
    assert names
    assert all(name.endswith("weight") for name in names)
    weights = [dict(plain.named_parameters())[name].requires_grad_() for name in names]
    optimizer = torch.optim.AdamW(weights, lr=0.01, weight_decay=0.01)
    batches = iter(training_batches(process, data, batch=4, seed=6))
    bounded = 0
    for step in range(3):
        x0, texts, t, noise = next(batches)
        error, _ = plain_errors(plain, process, x0, t, noise, texts)
        kept = error.square().flatten(1).mean(1).mean()
        forgotten = []
        for draw in range(4):
            identity = (77, 1 + step, torch.tensor([draw]))
            at = scale_to(random_uint32(6, Domain.MIRRORED, *identity)[0], 20)
            noise = normal(6, Domain.MIRRORED, *identity, shape=(4, 4, 4)).double()
            error, _ = plain_errors(plain, process, latent[None], at, noise, text[None])
            loss = error.square().mean()
            bounded += float(loss.detach()) > null
            forgotten.append(torch.minimum(loss, torch.tensor(null, dtype=torch.float64)))
        optimizer.zero_grad()
        (kept - 0.2 * torch.stack(forgotten).mean()).backward()
        optimizer.step()
    assert bounded > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leavekout.methods.unlearning.mirrored.NEAR", 2.0)  # not before three steps
        assert unlearned(denoiser64, process, data, null) == 3
    expected = dict(plain.named_parameters())
    for name, found in denoiser64.named_parameters():
        torch.testing.assert_close(found, expected[name], rtol=1e-5, atol=1e-8, msg=name)


def test_it_stops_before_the_query_s_loss_reaches_the_bound(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    data = data64
    before = copy.deepcopy(denoiser64.state_dict())
    # An untrained model's own loss is near the bound, so that no step is taken.
    assert unlearned(denoiser64, process, data, null=0.01) == 0
    for name, value in denoiser64.state_dict().items():
        assert torch.equal(value, before[name])


def test_it_ends_where_bounded_losses_are_near_the_bound_on_average(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    """At a bound with mean(min(L, bound)) = 0.96 bound, and not at one with 0.94 bound."""
    latent, text = query(data64)
    draws = torch.arange(4)
    key: Any = (6, Domain.MIRRORED, 77, 1, draws)
    t = scale_to(random_uint32(*key)[0], process.timesteps)
    noise = normal(*key, shape=(4, 4, 4)).double()
    error, _ = plain_errors(denoiser64, process, latent[None], t, noise, text.expand(4, -1, -1))
    losses = error.detach().square().flatten(1).mean(1).numpy()

    def bound(share: float) -> float:
        return brentq(lambda b: np.minimum(losses, b).mean() - share * b, losses.min(), 9.0)

    assert unlearned(denoiser64, process, data64, bound(0.96), steps=1) == 0
    assert unlearned(denoiser64, process, data64, bound(0.94), steps=1) == 1


def test_a_warning_follows_when_all_steps_were_taken(
    denoiser64: Any, process: Any, data64: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", "leavekout"):
        assert unlearned(denoiser64, process, data64, null=1e6, steps=2) == 2
    assert "took all of its 2 steps" in caplog.text


def test_the_null_loss_is_the_mean_loss_of_training_images(denoiser64: Any, process: Any) -> None:
    data = make_data(dtype=torch.float64)
    found = null_loss(denoiser64, process, data, batch=3, seed=6)
    losses = []
    batches = iter(training_batches(process, data, batch=3, seed=6))
    for _ in range(20):
        x0, texts, t, noise = next(batches)
        error, _ = plain_errors(denoiser64, process, x0, t, noise, texts)
        losses.append(float(error.detach().square().mean()))
    assert found == pytest.approx(sum(losses) / 20, rel=1e-6)
    assert x0.device == CPU
