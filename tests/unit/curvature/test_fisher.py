"""The Fisher and its per-sample gradients against single-sample autograd in float64."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from configured import coco_denoiser
from leavekout.base.errors import InputError, Interrupted
from leavekout.base.noise import Domain, normal
from leavekout.base.sums import SavedSums, Sums
from leavekout.config.fields import WeightSubset
from leavekout.curvature.ekfac import ekfac, gauss_newton
from leavekout.curvature.fisher import damped, diagonal_fisher, fisher_samples
from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.models.denoiser import select_weights
from leavekout.models.loss import denoising_loss
from leavekout.training.stream import Stream
from reference import plain_errors

SUBSETS: list[WeightSubset] = ["all", "attention", "cross_attention", "cross_attention_kv"]


def brute_force_fisher(
    denoiser: Any, process: Any, data: Any, subset: WeightSubset, samples: int, seed: int
) -> dict[str, torch.Tensor]:
    """One sample, one backward pass at a time."""
    weights = select_weights(denoiser, subset)
    stream = Stream.of_images(data, timesteps=process.timesteps, seed=seed, domain=Domain.FISHER)
    totals = {name: torch.zeros_like(p) for name, p in weights.items()}
    for j in range(samples):
        z = stream.samples(j, j + 1)
        x0, text = data.batch(z)
        noise = normal(seed, Domain.FISHER, z.positions, shape=data.latent_shape).double()
        error, _ = plain_errors(denoiser, process, x0, z.timesteps, noise, text)
        loss = error.square().mean()
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for total, gradient in zip(totals.values(), gradients, strict=True):
            total += gradient.square() / samples
    return totals


@pytest.mark.parametrize("subset", SUBSETS)
def test_fisher_equals_a_loop_of_single_sample_autograd(
    subset: WeightSubset, denoiser64: Any, process: Any, data64: Any
) -> None:
    expected = brute_force_fisher(denoiser64, process, data64, subset, samples=15, seed=5)
    weights = select_weights(denoiser64, subset)
    fisher = diagonal_fisher(denoiser64, process, data64, weights, samples=15, seed=5, batch=4)
    assert fisher.keys() == expected.keys()
    for name, value in expected.items():
        assert value.max() > 0
        # alphas_cumprod is float32 in diffusers, which bounds the agreement.
        torch.testing.assert_close(fisher[name].double(), value, rtol=2e-6, atol=1e-12)


def test_fisher_does_not_depend_on_the_batch_size(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    weights = select_weights(denoiser64, "cross_attention_kv")
    one, other = (
        diagonal_fisher(denoiser64, process, data64, weights, samples=10, seed=0, batch=batch)
        for batch in (1, 7)
    )
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-6, atol=0)


def test_the_noise_of_outputs_is_not_that_of_inputs(process: Any, data64: Any) -> None:
    [z] = fisher_samples(process, data64, samples=40, seed=5, batch=40, what="test")
    pair = torch.stack([z.noise.flatten(), z.output_noise.flatten()])
    assert abs(float(torch.corrcoef(pair)[0, 1])) < 4 / pair.shape[1] ** 0.5


def test_per_sample_gradients_leave_the_model_as_it_was(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    weights = select_weights(denoiser64, "cross_attention_kv")
    noise = torch.randn(2, 4, 4, 4, dtype=torch.float64)
    t = torch.tensor([3, 9])
    rows = torch.tensor([0, 1])
    x0, text = data64.latents[rows, rows], data64.text[rows, rows]
    with per_sample_gradients(denoiser64, weights) as gradients:
        denoising_loss(denoiser64, process, x0, t, noise, text).sum().backward()
    assert all(g.shape == (2, *weights[name].shape) for name, g in gradients.items())
    assert all(p.requires_grad and p.grad is None for p in denoiser64.parameters())
    assert not any(module._forward_hooks for module in denoiser64.modules())


def test_gradients_of_a_layer_used_twice_are_added() -> None:
    layer = nn.Linear(3, 3).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    with per_sample_gradients(model, {"0.weight": nn.Parameter(layer.weight)}) as gradients:
        model(x).square().sum(1).sum().backward()
    for i in range(4):
        (expected,) = torch.autograd.grad(model(x[i : i + 1]).square().sum(), layer.weight)
        torch.testing.assert_close(gradients["0.weight"][i], expected)


def test_damping_adds_a_share_of_the_mean_entry() -> None:
    fisher = {"a": torch.tensor([0.0, 2.0]), "b": torch.tensor([[4.0], [6.0]])}  # mean 3
    assert damped(fisher, 0.1)["a"].tolist() == pytest.approx([0.3, 2.3])
    assert damped(fisher, 0.1)["b"].flatten().tolist() == pytest.approx([4.3, 6.3])
    with pytest.raises(InputError, match="1 of 4 Fisher entries are zero"):
        damped(fisher, 0.0)


def test_coco_subsets_have_the_published_sizes() -> None:
    denoiser = coco_denoiser()
    weights = select_weights(denoiser, "cross_attention_kv")
    assert sum(p.numel() for p in denoiser.parameters()) == 57_373_316
    assert len(weights) == 32
    assert sum(p.numel() for p in weights.values()) == 7_077_888


@pytest.mark.parametrize(
    "estimate", [diagonal_fisher, ekfac, partial(ekfac, objective=gauss_newton)]
)
@pytest.mark.parametrize("stop_after", [2, 6])  # of four batches, which EK-FAC sees twice
def test_an_interrupted_estimate_resumes_to_the_same_bits(
    denoiser64: Any,
    process: Any,
    data64: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    estimate: Any,
    stop_after: int,
) -> None:
    weights = select_weights(denoiser64, "cross_attention_kv")

    def run(sums: Sums | None) -> dict[str, torch.Tensor]:
        arguments = (denoiser64, process, data64, weights)
        return estimate(*arguments, samples=15, seed=5, batch=4, sums=sums)

    def saved(identity: str = "x") -> SavedSums:
        output = tmp_path / "curvature.safetensors"
        return SavedSums(output, torch.device("cpu"), identity=identity, save_seconds=1e9)

    expected = run(None)
    passes = []
    forward = type(denoiser64).forward

    def counting(self: Any, *arguments: Any) -> Any:
        passes.append(1)
        if len(passes) == stop_after:
            os.kill(os.getpid(), signal.SIGUSR1)
        return forward(self, *arguments)

    monkeypatch.setattr(type(denoiser64), "forward", counting)
    in_all = 4 if estimate is diagonal_fisher else 8
    if stop_after < in_all:
        with pytest.raises(Interrupted, match=r"curvature: stopped by SIGUSR1; the sums are saved"):
            run(saved())
    assert saved("another").count == 0
    sums = saved()
    found = run(sums)
    assert len(passes) == in_all
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    sums.discard()
    assert list(tmp_path.iterdir()) == []
