"""Projections of per-sample gradients, the features of TRAK and its relatives."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from leavekout.curvature.projection import Projection
from leavekout.methods.influence.settings import Gradients
from leavekout.models.denoiser import Denoiser, select_weights


class GradientProjector:
    """Projects gradients of one model's chosen weights: jointly, or each weight by itself.

    Args:
        model_seed: the model's training seed; each model has its own projections, as in TRAK.
    """

    def __init__(
        self, denoiser: Denoiser, config: Gradients, *, model_seed: int, device: torch.device
    ) -> None:
        self.config = config
        self.weights: Mapping[str, nn.Parameter] = select_weights(denoiser, config.weights)
        sizes = [parameter.numel() for parameter in self.weights.values()]
        # d of each projected block, [L].
        self.entries = sizes if config.layout == "by_layer" else [sum(sizes)]
        self.projections = [
            Projection(
                d, config.dimension, seed=config.seed + model_seed, number=number, device=device
            )
            for number, d in enumerate(self.entries)
        ]
        self.shape = (len(self.entries), config.dimension)

    def __call__(self, gradients: Mapping[str, Tensor]) -> Tensor:
        """Gradients [B, *weight.shape] by name → [B, L, p]."""
        blocks = [gradients[name].flatten(1) for name in self.weights]
        if self.config.layout == "joint":
            blocks = [torch.cat(blocks, 1)]
        pairs = zip(self.projections, blocks, strict=True)
        return torch.stack([projection(block) for projection, block in pairs], 1)

    def group_of(self, draws: int) -> int:
        """All draws, unless each is normalised."""
        return 1 if self.config.normalise else draws

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """Projections, each of length one if they are to be normalised."""
        features = self(gradients)
        if not self.config.normalise:
            return features
        lengths = torch.linalg.vector_norm(features, dim=(1, 2), keepdim=True)  # of each draw
        return (features / lengths).unflatten(0, (-1, draws)).sum(1)
