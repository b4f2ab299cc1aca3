"""Influence by EK-FAC: ∇L(ẑ)ᵀ (G + λI)⁻¹ ∇L(z) of gradients that are not projected.

Mlodozeniec et al., *Influence Functions for Scalable Data Attribution in Diffusion Models* (ICLR
2025). A query's preconditioned gradient is one direction. The images' gradients are computed once
for all queries, and only their products with these directions are kept.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.curvature.ekfac import solve
from leavekout.methods.ekfac_influence.settings import EkfacInfluence
from leavekout.models.denoiser import Denoiser, select_weights
from leavekout.models.process import Process
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import query_gradients


class WholeGradients:
    """Keeps gradients as they are: L = 1 vector of all chosen weights, one after another."""

    def __init__(self, denoiser: Denoiser, config: EkfacInfluence) -> None:
        self.config = config
        self.weights: Mapping[str, nn.Parameter] = select_weights(denoiser, config.weights)
        self.shape = (1, sum(weight.numel() for weight in self.weights.values()))

    def group_of(self, draws: int) -> int:
        """All draws."""
        return draws

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """[B, 1, d]."""
        return torch.cat([gradients[name].flatten(1) for name in self.weights], 1)[:, None]

    def by_name(self, flat: Tensor) -> dict[str, Tensor]:
        """The inverse: [Q, d] → [Q, *weight.shape] by name."""
        sizes = [weight.numel() for weight in self.weights.values()]
        pairs = zip(self.weights.items(), flat.split(sizes, 1), strict=True)
        return {name: part.reshape(-1, *weight.shape) for (name, weight), part in pairs}


class Products(WholeGradients):
    """Keeps the products of gradients with some directions: L = 1 vector of them.

    Args:
        directions: [D, d].
    """

    def __init__(self, denoiser: Denoiser, config: EkfacInfluence, directions: Tensor) -> None:
        super().__init__(denoiser, config)
        self.directions = directions
        self.shape = (1, len(directions))

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """[B, 1, D]."""
        return super().summed(gradients, draws) @ self.directions.T


def directions_of(
    denoiser: Denoiser,
    process: Process,
    queries: Queries,
    factors: Mapping[str, Tensor],
    config: EkfacInfluence,
    *,
    batch: int,
) -> Tensor:
    """(G + λI)⁻¹ ∇L(ẑ) of Q queries, by each half of their draws: [Q·H, d].

    Queries are processed one by one, because their directions may fill most of a GPU.

    Args:
        factors: of `ekfac` with the Gauss-Newton matrix.
        batch: as in `query_gradients`.
    """
    whole = WholeGradients(denoiser, config)
    directions = torch.empty(0)
    for place, one in enumerate(queries):
        gradients = query_gradients(
            denoiser, process, one, whole, draws=config.query_draws, timestep=None, batch=batch
        )  # [1, H, 1, d]
        solved = solve(
            factors,
            whole.by_name(gradients[0, :, 0]),
            config.damping,
            absolute=config.damping_of == "absolute",
        )
        halves = gradients.shape[1]
        if place == 0:
            directions = gradients.new_empty(len(queries.names) * halves, gradients.shape[3])
        rows = directions[place * halves : (place + 1) * halves]
        torch.cat([part.flatten(1) for part in solved.values()], 1, out=rows)
    return directions


def product_scores(products: np.ndarray, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores [Q, N], and by half of the draws of images and queries [Q, 2, N].

    Each is the better of an image and its flip. Without halves, they are NaN.

    Args:
        products: [N, F, H, 1, Q·H'], by halves of the images' draws, and of the queries'.
    """
    images, flips, halves = products.shape[:3]
    by_half = products.astype(np.float64).reshape(images, flips, halves, queries, -1)
    scores = by_half.mean((2, 4)).max(axis=1).T  # [Q, N]
    if halves != by_half.shape[4] or halves == 1:
        return scores, np.full((queries, 2, images), np.nan)
    alone = np.stack([by_half[:, :, half, :, half] for half in range(halves)])  # [2, N, F, Q]
    return scores, np.moveaxis(alone.max(axis=2), -1, 0)
