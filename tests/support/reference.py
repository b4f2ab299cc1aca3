"""Processes written out from their definitions, to test against."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from scipy.special import expit
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional

from leavekout.config.model import FlowMatching
from leavekout.curvature.fisher import FisherSample
from leavekout.curvature.projection import Projection
from leavekout.models.process import Diffusion, Process


def plain_errors(
    denoiser: Any, process: Process, x0: Tensor, t: Tensor, noise: Tensor, text: Tensor
) -> tuple[Tensor, Tensor]:
    """The prediction's error, and the prediction itself: [B, 4, h, w] each, in float64.

    Args:
        denoiser: any function of x_t, times and text.
    """
    if isinstance(process, Diffusion):
        alpha = process.scheduler.alphas_cumprod[t].double().reshape(-1, 1, 1, 1)
        x_t, target, times = alpha.sqrt() * x0 + (1 - alpha).sqrt() * noise, noise, t
    else:
        assert isinstance(process.config, FlowMatching)
        quantile = (t.numpy() + 0.5) / process.config.timesteps
        uniform = process.config.density == "uniform"
        time = torch.as_tensor(quantile if uniform else expit(norm.ppf(quantile)))
        mix = time.reshape(-1, 1, 1, 1)
        x_t, target, times = x0 + mix * (noise - x0), noise - x0, (1000 * time).float()
    predicted = denoiser(x_t, times, text)
    return predicted - target, predicted


def layer_traces(
    denoiser: Any,
    name: str,
    samples: Iterable[FisherSample],
    value: Callable[[FisherSample], Tensor],
) -> list[tuple[Tensor, Tensor]]:
    """(inputs a, gradients of outputs g) of a layer at each token or place, sample by sample.

    Args:
        name: of the layer's weight.
        value: what gradients are of, for one sample.
    """
    layer = denoiser.get_submodule(name.removesuffix(".weight"))
    denoiser.requires_grad_(True)
    kept: dict[str, Tensor] = {}
    handle = layer.register_forward_hook(lambda _, a, out: kept.update(a=a[0].detach(), out=out))
    traces = []
    for z in samples:
        total = value(z)
        a, g = kept["a"], torch.autograd.grad(total, kept["out"])[0]
        if isinstance(layer, nn.Conv2d):
            size: Any = {"padding": layer.padding, "stride": layer.stride}
            a = functional.unfold(a, layer.kernel_size, **size).transpose(1, 2)
            g = g.flatten(2).transpose(1, 2)
        traces.append((a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1])))
    handle.remove()
    return traces


def kronecker_factors(traces: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Q = U_S ⊗ U_A as one dense matrix, and Λ: the gradients' mean squares in that basis."""
    covariances = [sum(x.T @ x for x in side) for side in zip(*traces, strict=True)]
    u_a, u_s = (torch.linalg.eigh(torch.as_tensor(c)).eigenvectors for c in covariances)
    q = torch.kron(u_s, u_a)  # acts on W [out, in] flattened row by row
    rotated = torch.stack([q.T @ (g.T @ a).flatten() for a, g in traces])
    return q, rotated.square().mean(0)


def explicit_matrix(projection: Projection) -> torch.Tensor:
    """P [p, d], entry by entry from its definition."""
    j = torch.arange(projection.entries)
    shifts = torch.tensor(projection.shifts)[j // projection.size]
    places = (j + shifts) % projection.size
    ones = torch.zeros(projection.dimension, projection.entries, dtype=torch.int64)
    for bit in range(projection.size.bit_length()):
        ones += (projection.rows[:, None] & places) >> bit & 1
    return (1.0 - 2 * (ones % 2)).double() * projection.signs
