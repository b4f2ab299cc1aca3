"""EK-FAC against explicit Kronecker factors in float64."""

from typing import Any

import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.curvature.ekfac import ekfac, solve
from leavekout.curvature.fisher import fisher_samples
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.methods.unlearning.steps import unlearn
from leavekout.models.denoiser import select_weights
from reference import kronecker_factors, layer_traces
from world import one_query

SAMPLES: dict[str, Any] = {"samples": 25, "seed": 5}


Traces = list[tuple[torch.Tensor, torch.Tensor]]


def traces_of(denoiser: Any, process: Any, data: Any, name: str) -> Traces:
    samples = fisher_samples(process, data, batch=1, what="test", **SAMPLES)
    return layer_traces(denoiser, name, samples, lambda z: z.loss(denoiser, process).sum())


@pytest.fixture
def factors(denoiser64: Any, process: Any, data64: Any) -> dict[str, torch.Tensor]:
    weights = select_weights(denoiser64, "cross_attention_kv")
    return ekfac(denoiser64, process, data64, weights, batch=4, **SAMPLES)


def test_solve_equals_explicit_kronecker_factors(
    denoiser64: Any, process: Any, data64: Any, factors: dict[str, torch.Tensor]
) -> None:
    """(Q Λ Qᵀ + λ̄ I)⁻¹ vec(G) with Q = U_S ⊗ U_A as one dense matrix."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in select_weights(denoiser64, "cross_attention_kv").items():
        q, eigenvalues = kronecker_factors(traces_of(denoiser64, process, data64, name))
        dense = q @ torch.diag(eigenvalues + 0.1 * eigenvalues.mean()) @ q.T
        gradient = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        expected = torch.linalg.solve(dense, gradient.flatten()).reshape(weight.shape)
        found = solve(factors, {name: gradient}, damping=0.1)[name]
        # The factors are kept in float32.
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


def test_eigenvalues_keep_the_trace_of_the_fisher(
    denoiser64: Any, process: Any, data64: Any, factors: dict[str, torch.Tensor]
) -> None:
    """Σ Λ = E‖G‖²: a change of basis moves nothing out of the Fisher."""
    for name in select_weights(denoiser64, "cross_attention_kv"):
        traces = traces_of(denoiser64, process, data64, name)
        expected = torch.stack([(g.T @ a).square().sum() for a, g in traces]).mean()
        found = factors[f"{name}.eigenvalues"].double().sum()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_newton_step_with_ekfac_is_equation_5(
    denoiser64: Any, process: Any, factors: dict[str, torch.Tensor]
) -> None:
    config = Unlearning(curvature="ekfac", step_size=0.3, damping=0.1, gradient_samples=5, seed=1)
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(4, 4, 4, generator=generator, dtype=torch.float64)
    text = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    query = one_query(latent, text, 7)
    weights = select_weights(denoiser64, "cross_attention_kv")
    start = {name: p.detach().clone() for name, p in denoiser64.named_parameters()}
    ascent = config.model_copy(update={"step": "gradient_ascent", "step_size": 1.0})
    unlearn(denoiser64, process, query, ascent, None, images=40, batch=5)
    gradients = {name: (p - start[name]).detach() for name, p in weights.items()}
    denoiser64.load_state_dict(start)
    unlearn(denoiser64, process, query, config, factors, images=40, batch=5)
    directions = solve(factors, gradients, damping=0.1)
    for name, parameter in denoiser64.named_parameters():
        moved = 0.3 / 40 * directions[name] if name in directions else 0.0
        torch.testing.assert_close(parameter, start[name] + moved, rtol=1e-9, atol=1e-12)


def test_zero_eigenvalues_without_damping_are_refused() -> None:
    factors = {
        "x.input_basis": torch.eye(2),
        "x.output_basis": torch.eye(2),
        "x.eigenvalues": torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
    }
    with pytest.raises(InputError, match=r"1 of 4 EK-FAC eigenvalues of 'x' are zero"):
        solve(factors, {"x": torch.ones(2, 2)}, damping=0.0)


def test_weights_of_other_layers_are_refused(denoiser64: Any, process: Any, data64: Any) -> None:
    weights = select_weights(denoiser64, "all")
    with pytest.raises(
        InputError, match="'ekfac' is for weights of linear and convolution layers, but"
    ):
        ekfac(denoiser64, process, data64, weights, batch=4, **SAMPLES)
    with pytest.raises(InputError, match="no EK-FAC factors of the weight 'x'"):
        solve({}, {"x": torch.ones(2, 2)}, damping=0.1)
