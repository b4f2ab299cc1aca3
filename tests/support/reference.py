"""Processes written out from their definitions, to test against."""

from typing import Any

import torch
from scipy.special import expit
from scipy.stats import norm
from torch import Tensor

from leavekout.config.model import FlowMatching
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


def explicit_matrix(projection: Projection) -> torch.Tensor:
    """P [p, d], entry by entry from its definition."""
    j = torch.arange(projection.entries)
    shifts = torch.tensor(projection.shifts)[j // projection.size]
    places = (j + shifts) % projection.size
    ones = torch.zeros(projection.dimension, projection.entries, dtype=torch.int64)
    for bit in range(projection.size.bit_length()):
        ones += (projection.rows[:, None] & places) >> bit & 1
    return (1.0 - 2 * (ones % 2)).double() * projection.signs
