"""DMin: gradients that are scaled to length one, compressed, and compared timestep by timestep.

Lin et al., *DMin: Scalable Training Data Influence Estimation for Diffusion Models* (CVPR 2026,
arXiv 2412.08637).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32
from leavekout.methods.dmin.settings import Dmin
from leavekout.models.denoiser import Denoiser, select_weights

_COMPRESSION = 3  # in the key of the permutation, beside those of random projections
_PART_BYTES = 1 << 28  # of the memory-mapped vectors, read at a time


class Compressor:
    """Turns each draw's gradient g [d] into c [p]: c_j = Σ_{i in group j} s_i ĝ_{π(i)}.

    ĝ is g / ‖g‖, π a random permutation of the d entries, s random signs; groups are consecutive
    runs of ⌈d / p⌉ entries, the last of which may be shorter or empty. Inner products of compressed
    vectors estimate inner products of the ĝ without bias.

    Args:
        draws: draws of a half; each keeps its own vector.

    Raises:
        InputError: there are more groups than entries.
    """

    def __init__(
        self, denoiser: Denoiser, config: Dmin, *, draws: int, device: torch.device
    ) -> None:
        self.config = config
        self.weights: Mapping[str, nn.Parameter] = select_weights(denoiser, config.weights)
        self.shape = (draws, config.dimension)
        entries = sum(weight.numel() for weight in self.weights.values())
        if config.dimension > entries:
            raise InputError(
                f"dmin: {config.dimension:,} groups are more than the {entries:,} weights of "
                f"'{config.weights}'; lower 'dimension'."
            )
        drawn = random_uint32(
            config.seed, Domain.PROJECTION, torch.arange(entries), 0, _COMPRESSION
        )
        self.order = torch.argsort(drawn[0], stable=True).to(device)
        self.signs = (1 - 2 * (drawn[1] & 1)).to(device)
        self.run = -(-entries // config.dimension)

    def group_of(self, draws: int) -> int:
        """Each draw by itself, since it is scaled by itself."""
        return 1

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """[B · draws, *weight.shape] by name → [B, draws, p]: here no draws are added up."""
        flat = torch.cat([gradients[name].flatten(1) for name in self.weights], 1)
        return self.compressed(flat).unflatten(0, (-1, draws))

    def compressed(self, gradients: Tensor) -> Tensor:
        """[B, d] → [B, p]."""
        unit = gradients / torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
        signed = unit[:, self.order] * self.signs.to(unit)
        missing = self.run * self.config.dimension - signed.shape[1]
        return nn.functional.pad(signed, (0, missing)).unflatten(1, (-1, self.run)).sum(2)


def inner_products(images: np.ndarray, queries: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scores [Q, N], and [Q, 2, N] by half of the draws, which without halves are not numbers.

    τ(ẑ, z) = mean over draws of ⟨c(ẑ), c(z)⟩, the better of an image and its flip.

    Args:
        images: [N, F, H, L, p], the vectors of L draws of each of H halves, divided by L, as
            `sweeps.gradients` makes them; may be memory-mapped.
        queries: [Q, H, L, p], in the same way.
    """
    halves, draws = queries.shape[1:3]
    rows = max(1, _PART_BYTES // images[0].nbytes)
    wanted, found = queries.double(), []
    for start in range(0, len(images), rows):
        part = torch.from_numpy(np.array(images[start : start + rows])).to(wanted)
        found.append(torch.einsum("nfhlp,qhlp->hqnf", part, wanted).cpu() * draws)
    by_half = torch.cat(found, 2)  # [H, Q, N, F]
    scores = by_half.mean(0).amax(2).numpy()
    if halves == 1:
        return scores, np.full((len(queries), 2, len(images)), np.nan)
    return scores, by_half.amax(3).transpose(0, 1).numpy()
