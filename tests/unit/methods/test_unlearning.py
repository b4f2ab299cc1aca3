"""The unlearning steps against eq. 5 written out."""

from typing import Any

import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.config.fields import Objective
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.methods.unlearning.steps import latent_mask, query_gradient, unlearn
from leavekout.models.denoiser import select_weights
from leavekout.models.loss import query_losses
from reference import plain_errors
from world import one_query

N = 40
Query = tuple[torch.Tensor, torch.Tensor]  # latent, text states
NEWTON = Unlearning(step="newton", step_size=0.3, damping=0.2, gradient_samples=9, seed=6)


def plain_gradient(
    denoiser: Any, process: Any, weights: Any, at: Query, query: int, step: int
) -> list[torch.Tensor]:
    """∇L(ẑ, θ) one draw at a time, with autograd on all parameters."""
    totals = [torch.zeros_like(p) for p in weights.values()]
    for draw in range(NEWTON.gradient_samples):
        one = torch.tensor([draw])
        t = scale_to(random_uint32(NEWTON.seed, Domain.UNLEARNING, query, step, one)[0], 20)
        noise = normal(NEWTON.seed, Domain.UNLEARNING, query, step, one, shape=(4, 4, 4)).double()
        error, _ = plain_errors(denoiser, process, at[0], t, noise, at[1][None])
        loss = error.square().mean()
        for total, g in zip(totals, torch.autograd.grad(loss, list(weights.values())), strict=True):
            total += g / NEWTON.gradient_samples
    return totals


@pytest.fixture
def query() -> Query:
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(4, 4, 4, generator=generator, dtype=torch.float64)
    return latent, torch.randn(5, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 3])
def test_newton_steps_are_equation_5(
    steps: int, denoiser64: Any, process: Any, query: Query
) -> None:
    weights = select_weights(denoiser64, "cross_attention_kv")
    generator = torch.Generator().manual_seed(0)
    fisher = {n: torch.rand(p.shape, generator=generator).double() for n, p in weights.items()}
    start = {n: p.detach().clone() for n, p in denoiser64.named_parameters()}

    flat = torch.cat([f.flatten() for f in fisher.values()])
    for step in range(steps):
        gradient = plain_gradient(denoiser64, process, weights, query, query=77, step=step)
        with torch.no_grad():
            for (name, p), g in zip(weights.items(), gradient, strict=True):
                inverse = torch.diag(1 / (fisher[name].flatten() + 0.2 * flat.mean()))
                p.add_((0.3 / N) * (inverse @ g.flatten()).reshape(p.shape))
    expected = {n: p.detach().clone() for n, p in denoiser64.named_parameters()}

    denoiser64.load_state_dict(start)
    config = NEWTON.model_copy(update={"steps": steps})
    unlearn(denoiser64, process, one_query(*query, 77), config, fisher, images=N, batch=4)
    for name, parameter in denoiser64.named_parameters():
        moved = (expected[name] - start[name]).abs().max()
        assert (moved > 0) == (name in weights)
        torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-6, atol=1e-9)


def test_gradient_ascent_needs_no_fisher(denoiser64: Any, process: Any, query: Query) -> None:
    weights = select_weights(denoiser64, "attention")
    start = {n: p.detach().clone() for n, p in weights.items()}
    gradient = plain_gradient(denoiser64, process, weights, query, query=1, step=0)
    config = NEWTON.model_copy(update={"step": "gradient_ascent", "weights": "attention"})
    unlearn(denoiser64, process, one_query(*query, 1), config, None, images=N, batch=9)
    for (name, p), g in zip(weights.items(), gradient, strict=True):
        torch.testing.assert_close(p.detach(), start[name] + 0.3 * g, rtol=1e-6, atol=1e-9)


def test_the_query_gradient_does_not_depend_on_the_batch_size(
    denoiser64: Any, process: Any, query: Query
) -> None:
    weights = select_weights(denoiser64, "cross_attention_kv")
    config = NEWTON.model_copy(update={"gradient_samples": 11, "seed": 0})

    def gradient(batch: int) -> dict[str, torch.Tensor]:
        return query_gradient(
            denoiser64, process, weights, one_query(*query, 2), config, step=0, batch=batch
        )

    one, other = gradient(1), gradient(6)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-10, atol=1e-14)


def test_unlearning_raises_the_loss_of_the_query(
    denoiser64: Any, process: Any, query: Query
) -> None:
    latent, text = query

    def loss() -> float:
        options: Any = {"timesteps": torch.arange(20), "seed": 0, "batch": 20}
        batch = latent[None], text[None], torch.tensor([5])
        return query_losses(denoiser64, process, *batch, **options).mean()

    weights = select_weights(denoiser64, "cross_attention_kv")
    fisher = {n: torch.full_like(p, 0.01) for n, p in weights.items()}
    before = loss()
    unlearn(denoiser64, process, one_query(*query, 5), NEWTON, fisher, images=N, batch=9)
    assert loss() > before


def test_the_fisher_of_other_weights_is_refused(
    denoiser64: Any, process: Any, query: Query
) -> None:
    with pytest.raises(InputError, match="not the Fisher of the weight subset"):
        unlearn(denoiser64, process, one_query(*query, 0), NEWTON, {}, images=N, batch=4)


def test_a_box_unlearns_only_inside_it(denoiser64: Any, process: Any, query: Query) -> None:
    """The gradient is that of the mean over the box's latents, by autograd on the plain formula."""
    weights = select_weights(denoiser64, "cross_attention_kv")
    mask = latent_mask((0.5, 0.0, 1.0, 0.4), (4, 4))
    assert mask.nonzero().tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert latent_mask((0.5, 0.0, 1.0, 0.3), (4, 4)).nonzero().tolist() == [[0, 2], [0, 3]]
    objectives: list[Objective] = ["loss", "squared_output"]
    for objective in objectives:
        config = Unlearning(gradient_samples=2, seed=1, objective=objective)
        found = query_gradient(
            denoiser64, process, weights, one_query(*query, 3), config, step=0, batch=2, mask=mask
        )
        draws = torch.arange(2)
        t = scale_to(random_uint32(1, Domain.UNLEARNING, 3, 0, draws)[0], 20)
        noise = normal(1, Domain.UNLEARNING, 3, 0, draws, shape=(4, 4, 4)).double()
        denoiser64.requires_grad_(True)
        error, output = plain_errors(
            denoiser64, process, query[0], t, noise, query[1].expand(2, 5, 6)
        )
        chosen = error if objective == "loss" else output
        loss = chosen[:, :, :2, 2:].square().mean()
        expected = torch.autograd.grad(loss, list(weights.values()))
        for name, gradient in zip(weights, expected, strict=True):
            torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12)


def test_a_box_between_latents_is_refused() -> None:
    with pytest.raises(InputError, match="contains the centre of none of the 4 x 4 latents"):
        latent_mask((0.0, 0.0, 0.1, 0.1), (4, 4))
