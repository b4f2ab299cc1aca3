"""Nonparametric attribution (NDA): which images have the patches that a noised query is made of.

*Nonparametric Data Attribution for Diffusion Models* (arXiv 2510.14269). A denoiser that knew only
the training patches would predict, at each place, their mean weighted by how likely the noised
patch comes from each. These weights are the attribution; no model is needed.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from leavekout.base.noise import Domain, normal
from leavekout.methods.patches.settings import Patches
from leavekout.models.process import Process
from leavekout.queries.loading import Queries

Batches = Callable[[], Iterator[tuple[slice, Tensor]]]


def patch_scores(
    query: Queries,
    batches: Batches,
    shape: tuple[int, int],
    process: Process,
    config: Patches,
    *,
    timestep: int,
) -> Tensor:
    """The weight of each image among the patches of one noised query: float64 [N, F].

    With x_t = s x̂ + σ ε, a patch p of x_t and a training patch y have the weight
    softmax_y(−‖p − s y‖² / (2σ²)) over the patches of all images and flips. An image's score is the
    sum over the patches of x_t of its `best` largest weights. A patch that reaches beyond the
    picture's border is compared, by its pixels inside, with patches at the same kind of border.

    Args:
        query: one query, x̂. Its noise seed keys the noise, together with t and `config.seed`.
        batches: starts an iteration over the training images: rows, and their latents
            [b, F, C, h, w]. It is called twice.
        shape: (N, F).
        timestep: t of the process.
    """
    latent, device = query.latents, query.latents.device  # [1, C, h, w]
    t = torch.tensor([timestep], device=device)
    key = (config.seed, Domain.PATCHES, query.noise_seeds[0], t)
    noise = normal(*key, shape=tuple(latent.shape[1:]))
    x_t = process.noised(latent, noise.to(latent), t)
    signal, deviation = process.scales(timestep)
    borders = _borders(latent.shape[2:], config.patch).to(device)  # [P]
    apart = borders[:, None] != borders[None]  # [P, P']
    wanted = _patches(x_t, config.patch)[0].double()  # [P, d]

    def log_weights(latents: Tensor) -> Tensor:  # [P, b, F, P'], not normalised
        known = signal * _patches(latents.flatten(0, 1), config.patch).double()  # [b·F, P', d]
        product = torch.einsum("pd,nqd->pnq", wanted, known)
        squares = wanted.square().sum(1)[:, None, None] + known.square().sum(2) - 2 * product
        logits = (-squares.clamp(min=0) / (2 * deviation**2)).masked_fill(
            apart[:, None], -torch.inf
        )
        return logits.unflatten(1, latents.shape[:2])

    total = torch.full((len(wanted),), -torch.inf, dtype=torch.float64, device=device)
    for _, latents in batches():
        total = torch.logaddexp(total, log_weights(latents).flatten(1).logsumexp(1))
    scores = torch.empty(shape, dtype=torch.float64)
    for here, latents in batches():
        weights = (log_weights(latents) - total[:, None, None, None]).exp()
        count = min(config.best, weights.shape[-1])
        scores[here] = weights.topk(count, dim=-1).values.sum((0, 3)).cpu()
    return scores


def _patches(pictures: Tensor, patch: int) -> Tensor:
    """The patches around all places, 0 outside the picture: [B, C, h, w] → [B, h·w, d]."""
    return functional.unfold(pictures, patch, padding=patch // 2).transpose(1, 2)


def _borders(size: Sequence[int], patch: int) -> Tensor:
    """A number for each place, equal where the same pixels of a patch are outside: int64 [h·w]."""
    masks = _patches(torch.ones(1, 1, *size), patch)[0]  # [h·w, patch²]
    return masks.unique(dim=0, return_inverse=True)[1]
