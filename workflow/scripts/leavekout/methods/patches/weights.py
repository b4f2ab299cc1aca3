"""Nonparametric attribution (NDA): which images have the patches that a noised query is made of.

*Nonparametric Data Attribution for Diffusion Models* (arXiv 2510.14269). A denoiser that knew the
training patches and nothing else would answer at each place with a mean of them, weighted by how
likely the noised patch comes from each. Those weights are the attribution; no model is needed.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from leavekout.base.noise import Domain, normal
from leavekout.models.process import Process

Batches = Callable[[], Iterator[tuple[slice, Tensor]]]


def patch_scores(
    query: Tensor,
    batches: Batches,
    shape: tuple[int, int],
    process: Process,
    *,
    timestep: int,
    patch: int,
    best: int,
    query_id: int,
    seed: int,
) -> Tensor:
    """The weight of each image among the patches of one noised query: float64 [N, F].

    With x_t = s x̂ + σ ε, a patch p of x_t and a training patch y have the weight
    softmax_y(−‖p − s y‖² / (2σ²)) over the patches of all images and flips. An image's score is the
    sum over the patches of x_t of its `best` largest weights. Patches that hang over the picture's
    border are compared, where they are inside, with those at the same kind of border.

    Args:
        query: [C, h, w], x̂.
        batches: starts an iteration over the training images: rows, and their latents
            [b, F, C, h, w]. It is called twice.
        shape: (N, F).
        timestep: t of the process; patch: side of a patch, odd.
        best: how many weights of an image count.
        query_id: keys the noise together with `timestep` and `seed`.
    """
    t = torch.tensor([timestep], device=query.device)
    noise = normal(seed, Domain.PATCHES, query_id, t, shape=tuple(query.shape))
    x_t = process.noised(query[None], noise.to(query), t)
    signal, deviation = process.scales(timestep)
    borders = _borders(query.shape[1], query.shape[2], patch).to(query.device)  # [P]
    apart = borders[:, None] != borders[None]  # [P, P']
    wanted = _patches(x_t, patch)[0].double()  # [P, d]

    def log_weights(latents: Tensor) -> Tensor:  # [P, b, F, P'], not normalised
        known = signal * _patches(latents.flatten(0, 1), patch).double()  # [b·F, P', d]
        product = torch.einsum("pd,nqd->pnq", wanted, known)
        squares = wanted.square().sum(1)[:, None, None] + known.square().sum(2) - 2 * product
        logits = (-squares.clamp(min=0) / (2 * deviation**2)).masked_fill(
            apart[:, None], -torch.inf
        )
        return logits.unflatten(1, latents.shape[:2])

    total = torch.full((len(wanted),), -torch.inf, dtype=torch.float64, device=query.device)
    for _, latents in batches():
        total = torch.logaddexp(total, log_weights(latents).flatten(1).logsumexp(1))
    scores = torch.empty(shape, dtype=torch.float64)
    for here, latents in batches():
        weights = (log_weights(latents) - total[:, None, None, None]).exp()
        count = min(best, weights.shape[-1])
        scores[here] = weights.topk(count, dim=-1).values.sum((0, 3)).cpu()
    return scores


def _patches(pictures: Tensor, patch: int) -> Tensor:
    """The patches around all places, 0 outside the picture: [B, C, h, w] → [B, h·w, d]."""
    return functional.unfold(pictures, patch, padding=patch // 2).transpose(1, 2)


def _borders(height: int, width: int, patch: int) -> Tensor:
    """Which of a patch's pixels lie outside, as a number for each place: int64 [h·w].

    Places of the same number have the same pixels outside.
    """
    masks = functional.unfold(torch.ones(1, 1, height, width), patch, padding=patch // 2)[
        0
    ].T  # [h·w, patch²]
    return masks.unique(dim=0, return_inverse=True)[1]
