"""Influence by EK-FAC against explicit matrices in float64."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from leavekout.curvature.ekfac import ekfac, gauss_newton, solve
from leavekout.curvature.fisher import FisherSample, fisher_samples
from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.methods.ekfac_influence.products import (
    Products,
    WholeGradients,
    directions_of,
    product_scores,
)
from leavekout.methods.ekfac_influence.settings import EkfacInfluence
from leavekout.models.denoiser import select_weights
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import query_gradients, training_gradients
from reference import kronecker_factors, layer_traces
from world import make_data

SAMPLES: dict[str, Any] = {"samples": 21, "seed": 5}
CONFIG = EkfacInfluence(
    objective="loss", weights="matrices", timesteps="stratified", draws=4, antithetic=True,
    query_draws=8, damping=0.1, damping_of="layer", seed=3,
)  # fmt: skip


@pytest.fixture
def factors(denoiser64: Any, process: Any, data64: Any) -> dict[str, torch.Tensor]:
    weights = select_weights(denoiser64, "matrices")
    return ekfac(denoiser64, process, data64, weights, batch=4, objective=gauss_newton, **SAMPLES)


def plain_objective(denoiser: Any, process: Any, z: FisherSample) -> torch.Tensor:
    """The output of one sample along η √(2/D), from the definition."""
    x_t = process.noised(z.x0, z.noise, z.timesteps)
    predicted = denoiser(x_t, process.times(z.timesteps), z.text)
    return (predicted * z.output_noise).sum() * (2 / predicted.numel()) ** 0.5


def of_each_kind(denoiser: Any) -> list[str]:
    """A convolution's weight, and a linear layer's."""
    chosen: dict[type, str] = {}
    for name in select_weights(denoiser, "matrices"):
        kind = type(denoiser.get_submodule(name.removesuffix(".weight")))
        chosen.setdefault(kind, name)
    assert nn.Conv2d in chosen
    return list(chosen.values())


def test_the_curvature_equals_explicit_kronecker_factors(
    denoiser64: Any, process: Any, data64: Any, factors: dict[str, torch.Tensor]
) -> None:
    for name in of_each_kind(denoiser64):
        weight = denoiser64.get_parameter(name)
        samples = fisher_samples(process, data64, batch=1, what="test", **SAMPLES)
        traces = layer_traces(
            denoiser64, name, samples, lambda z: plain_objective(denoiser64, process, z)
        )
        q, eigenvalues = kronecker_factors(traces)
        dense = q @ torch.diag(eigenvalues + 0.1 * eigenvalues.mean()) @ q.T
        gradients = torch.randn(2, *weight.shape, dtype=torch.float64)
        expected = torch.linalg.solve(dense, gradients.flatten(1).T).T.reshape(gradients.shape)
        found = solve(factors, {name: gradients}, damping=0.1)[name]
        scale = float(expected.abs().max())
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * scale)
        absolute = solve(factors, {name: gradients}, damping=0.7, absolute=True)[name]
        dense = q @ torch.diag(eigenvalues + 0.7) @ q.T
        expected = torch.linalg.solve(dense, gradients.flatten(1).T).T.reshape(gradients.shape)
        torch.testing.assert_close(absolute, expected, rtol=1e-3, atol=1e-4)


def test_sampled_gradients_have_the_gauss_newton_matrix_for_covariance(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    """E[g gᵀ] = Jᵀ (2/D) J, with the Jacobian by autograd, output by output."""
    name = of_each_kind(denoiser64)[0]
    weight = denoiser64.get_parameter(name)
    [z] = fisher_samples(process, data64, samples=1, seed=5, batch=1, what="test")
    denoiser64.requires_grad_(True)
    x_t = process.noised(z.x0, z.noise, z.timesteps)
    outputs = denoiser64(x_t, process.times(z.timesteps), z.text).flatten()
    rows = [torch.autograd.grad(o, weight, retain_graph=True)[0].flatten() for o in outputs]
    jacobian = torch.stack(rows)
    expected = jacobian.T @ jacobian * (2 / len(outputs))
    generator, total = torch.Generator().manual_seed(1), torch.zeros_like(expected)
    tensors = {name: value.expand(1000, *value.shape[1:]) for name, value in vars(z).items()}
    for _ in range(6):
        many = FisherSample(**tensors)
        noise = torch.randn(many.noise.shape, generator=generator, dtype=torch.float64)
        many = dataclasses.replace(many, output_noise=noise)
        with per_sample_gradients(denoiser64, [name]) as gradients:
            gauss_newton(denoiser64, process, many).sum().backward()
        g = gradients[name].flatten(1)
        total += g.T @ g / 6000
    assert float((total - expected).norm() / expected.norm()) < 0.1


def test_scores_are_products_of_autograd_gradients(
    denoiser64: Any, process: Any, factors: dict[str, torch.Tensor]
) -> None:
    """∇L(ẑ)ᵀ (G + λ)⁻¹ ∇L(z), with a query that is an image of the set for its own check."""
    data = make_data(images=4, flips=2, dtype=torch.float64)
    row, flip = torch.tensor([1]), torch.tensor([0])
    query = Queries(["q000"], [77], data.latents[row, flip], data.text[row, flip], [0])
    whole = WholeGradients(denoiser64, CONFIG)
    of_queries = query_gradients(denoiser64, process, query, whole, draws=8, timestep=None, batch=3)
    assert of_queries.shape[:3] == (1, 2, 1)
    directions = directions_of(denoiser64, process, query, factors, CONFIG, batch=3)
    products = Products(denoiser64, CONFIG, directions)
    found = torch.cat(list(training_gradients(denoiser64, process, data, products, batch=9)))
    gradients = torch.cat(list(training_gradients(denoiser64, process, data, whole, batch=9)))
    solved = solve(factors, whole.by_name(of_queries.mean(1)[:, 0]), 0.1)
    v = torch.cat([part.flatten() for part in solved.values()])
    scores, halves = product_scores(found.numpy(), 1)
    by_flip = gradients.mean(2)[:, :, 0] @ v  # [N, F]
    np.testing.assert_allclose(scores[0], by_flip.max(1).values.numpy(), rtol=1e-8, atol=1e-12)
    for half in range(2):
        solved = solve(factors, whole.by_name(of_queries[:, half, 0]), 0.1)
        v = torch.cat([part.flatten() for part in solved.values()])
        expected = (gradients[:, :, half, 0] @ v).max(1).values
        np.testing.assert_allclose(halves[0, half], expected.numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 2])
def test_scores_do_not_depend_on_how_queries_and_draws_are_split(
    denoiser64: Any, process: Any, factors: dict[str, torch.Tensor], at_once: int
) -> None:
    """Queries in groups, and an image's 2 flips x 4 draws in parts of 1, 3 or 16 passes."""
    data = make_data(images=3, flips=2, dtype=torch.float64)
    three = torch.arange(3)
    of_images = data.latents[three, three % 2], data.text[three, three]
    queries = Queries(["q000", "q001", "q002"], [7, 8, 9], *of_images, [0, 1, 2])

    def products(group: Queries, batch: int) -> np.ndarray:
        directions = directions_of(denoiser64, process, group, factors, CONFIG, batch=batch)
        projector = Products(denoiser64, CONFIG, directions)
        parts = training_gradients(denoiser64, process, data, projector, batch=batch)
        return torch.cat(list(parts)).numpy()

    whole = product_scores(products(queries, 16), 3)
    for batch in (1, 3):
        groups = [products(group, batch) for group in queries.split(at_once)]
        assert len(groups) == -(-3 // at_once)
        for found, expected in zip(
            product_scores(np.concatenate(groups, -1), 3), whole, strict=True
        ):
            scale = float(np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10 * scale)


def test_no_pass_is_larger_than_the_batch(
    denoiser64: Any, process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many draws an image has."""
    sizes: list[int] = []
    forward = type(denoiser64).forward

    def counted(self: Any, x: torch.Tensor, *others: Any) -> Any:
        sizes.append(len(x))
        return forward(self, x, *others)

    monkeypatch.setattr(type(denoiser64), "forward", counted)
    data, whole = make_data(images=2, dtype=torch.float64), WholeGradients(denoiser64, CONFIG)
    for batch, expected in ((1, [1] * 8), (3, [2] * 4), (5, [4] * 2), (8, [8])):
        sizes.clear()
        list(training_gradients(denoiser64, process, data, whole, batch=batch))
        assert sizes == expected * 2  # images


def test_scores_without_halves_have_nan_in_their_place() -> None:
    products = np.random.default_rng(0).standard_normal((5, 2, 1, 1, 6))
    scores, halves = product_scores(products, 3)
    assert scores.shape == (3, 5)
    assert np.isnan(halves).all()
    assert halves.shape == (3, 2, 5)
