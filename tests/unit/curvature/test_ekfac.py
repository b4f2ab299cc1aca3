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
from world import one_query

SAMPLES: dict[str, Any] = {"samples": 25, "seed": 5}


def layer_traces(
    denoiser: Any, process: Any, data: Any, name: str
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(inputs a, gradients of outputs g), each [tokens, width], of one sample at a time."""
    layer = denoiser.get_submodule(name.removesuffix(".weight"))
    denoiser.requires_grad_(True)
    traces = []
    for z in fisher_samples(process, data, batch=1, what="test", **SAMPLES):
        kept: dict[str, torch.Tensor] = {}

        def keep(
            module: Any, inputs: Any, output: torch.Tensor, kept: dict[str, torch.Tensor] = kept
        ) -> None:
            kept.update(a=inputs[0].detach()[0], output=output)

        handle = layer.register_forward_hook(keep)
        loss = z.loss(denoiser, process).sum()
        handle.remove()
        traces.append((kept["a"], torch.autograd.grad(loss, kept["output"])[0][0]))
    return traces


@pytest.fixture
def factors(denoiser64: Any, process: Any, data64: Any) -> dict[str, torch.Tensor]:
    weights = select_weights(denoiser64, "cross_attention_kv")
    return ekfac(denoiser64, process, data64, weights, batch=4, **SAMPLES)


def test_solution_is_that_of_explicit_kronecker_factors(
    denoiser64: Any, process: Any, data64: Any, factors: dict[str, torch.Tensor]
) -> None:
    """(Q Λ Qᵀ + λ̄ I)⁻¹ vec(G) with Q = U_S ⊗ U_A as one dense matrix."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in select_weights(denoiser64, "cross_attention_kv").items():
        traces = layer_traces(denoiser64, process, data64, name)
        a_cov = sum(a.T @ a for a, _ in traces)
        s_cov = sum(g.T @ g for _, g in traces)
        u_a = torch.linalg.eigh(torch.as_tensor(a_cov)).eigenvectors
        u_s = torch.linalg.eigh(torch.as_tensor(s_cov)).eigenvectors
        q = torch.kron(u_s, u_a)  # acts on W [out, in] flattened row by row
        rotated = torch.stack([q.T @ (g.T @ a).flatten() for a, g in traces])
        eigenvalues = rotated.square().mean(0)
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
        traces = layer_traces(denoiser64, process, data64, name)
        expected = torch.stack([(g.T @ a).square().sum() for a, g in traces]).mean()
        found = factors[f"{name}.eigenvalues"].double().sum()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_newton_step_with_ekfac_is_equation_5(
    denoiser64: Any, process: Any, factors: dict[str, torch.Tensor]
) -> None:
    config = Unlearning(
        weights="cross_attention_kv",
        step="newton",
        curvature="ekfac",
        step_size=0.3,
        steps=1,
        damping=0.1,
        gradient_samples=5,
        seed=1,
    )
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
