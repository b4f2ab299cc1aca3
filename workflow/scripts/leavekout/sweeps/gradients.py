"""Projected per-sample gradients, the features of TRAK, JourneyTRAK, D-TRAK and DataInf.

The features of an image are φ(z) = P ∇_θ E[f(z; t, ε)]: the gradient of the loss, or of another
output f, averaged over draws of timestep, noise and caption, then projected once.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.base.job import progress
from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.base.precision import arithmetic
from leavekout.base.rows import Rows
from leavekout.config.gradients import GradientDraws
from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.data.encoded import EncodedData, prefetch
from leavekout.models.denoiser import Denoiser
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process
from leavekout.queries.loading import Queries

_MOST_BYTES = 8 << 30  # of gradients before they are projected
# Keys of draws hold an image and its flip, 0 or 1. A query has this in place of the flip, and draws
# that all images and queries share have these in place of both.
_QUERY = 2
_SHARED = (0, 3)


class Projector(Protocol):
    """Turns gradients into features: L vectors of p numbers for each image."""

    config: Any
    weights: Mapping[str, nn.Parameter]
    shape: tuple[int, int]  # L, p

    def group_of(self, draws: int) -> int:
        """Of `draws` gradients, how many may be added up before they are projected."""

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """The features, summed over each image's draws: [B, L, p].

        Args:
            gradients: of the losses, each the sum over `group_of(draws)` draws.
        """


def halves_of_draws(draws: int, *, antithetic: bool) -> tuple[int, Tensor]:
    """The number of halves, and the draws ordered by half: int64 [draws].

    Every second draw belongs to the second half, so that both halves cover evenly spaced timesteps.
    A noise and its negative stay together. An odd number of draws is not divided.
    """
    order = torch.arange(draws)
    turn = order // 2 if antithetic else order
    if draws % (4 if antithetic else 2):
        return 1, order
    return 2, order[torch.argsort(turn % 2, stable=True)]


def draw_timesteps(
    config: GradientDraws, first: Tensor, number: Tensor, draws: int, timesteps: int
) -> Tensor:
    """Timesteps of draws, from one random word of each; see `config.GradientDraws`.

    Args:
        first: int64 [R, D], words.
        number: int64 [D], of the draws among `draws`.

    Returns:
        int64 [R, D].
    """
    if config.timesteps == "random":
        return scale_to(first, timesteps)
    number = number.to(first.device)
    if config.timesteps == "uniform":
        return (number * timesteps // draws).expand_as(first)
    return (number * timesteps + scale_to(first, timesteps)) // draws


def draw(
    config: GradientDraws,
    identity: tuple[Tensor | int, ...],
    number: Tensor,
    draws: int,
    timesteps: int,
    shape: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """Timesteps int64 [R·D] and noise [R·D, *shape] of draws, keyed to `identity` and their number.

    Args:
        identity: two numbers for each of R·D draws, or for all of them.
        number: int64 [D], of the draws among `draws`.
    """
    repeats = max((len(i) for i in identity if isinstance(i, Tensor)), default=len(number))
    of_each = number.repeat(repeats // len(number))
    sign = 1 - 2 * (of_each % 2) if config.antithetic else torch.ones_like(of_each)
    unit, units = (number // 2, draws // 2) if config.antithetic else (number, draws)
    key = (*identity, of_each // 2 if config.antithetic else of_each)
    word = random_uint32(config.seed, Domain.GRADIENT, *key)[0].reshape(-1, len(number))
    t = draw_timesteps(config, word, unit, units, timesteps).flatten()
    noise = normal(config.seed, Domain.GRADIENT, *key, shape=shape)
    return t, noise * sign.view(-1, *(1 for _ in shape)).to(noise)


def training_gradients(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    projector: Projector,
    *,
    batch: int,
    first: int = 0,
) -> Iterator[Tensor]:
    """Yields features [b, F, H, L, p] of b images at a time, from row `first` on.

    Draws are keyed to (image id, flip, draw), so features do not depend on `batch`. Each of the H
    parts is of half of the draws; the features of all are the mean of the parts.

    Args:
        batch: forward passes at a time.
    """
    config, draws = projector.config, projector.config.draws
    halves, order = halves_of_draws(draws, antithetic=config.antithetic)
    group = projector.group_of(draws // halves)
    of_image = data.flips * draws // group  # whole gradients of an image that exist at once
    whole = 4 * sum(weight.numel() for weight in projector.weights.values())  # bytes
    at_once = max(1, min(batch // (draws * data.flips), _MOST_BYTES // (of_image * whole)))
    starts = range(first, data.images, at_once)

    def samples() -> Iterator[tuple[Tensor, ...]]:
        for start in starts:
            rows = torch.arange(start, min(start + at_once, data.images))
            image, flip = torch.cartesian_prod(rows, torch.arange(data.flips)).T  # [R]
            ids = data.image_ids[image].to(data.device)
            number = order.to(data.device)
            own = (
                ids.repeat_interleave(draws),
                flip.to(data.device).repeat_interleave(draws),
            )
            word = random_uint32(config.seed, Domain.GRADIENT, *own, number.repeat(len(ids)))[1]
            caption = scale_to(word, data.captions).cpu()
            t, noise = draw(config, own, number, draws, process.timesteps, data.latent_shape)
            if config.shared_draws:
                shared = draw(config, _SHARED, number, draws, process.timesteps, data.latent_shape)
                t, noise = (x.repeat(len(ids), *(1 for _ in x.shape[1:])) for x in shared)
            x0 = data.latents[image, flip].repeat_interleave(draws, 0)
            text = data.text[image.repeat_interleave(draws), caption]
            yield x0, t, noise, text

    ahead = prefetch(samples(), data.device)
    for some in progress(ahead, "projected gradients", total=len(starts), every_seconds=20):
        sums = _sums(denoiser, process, projector, some, draws=draws // halves, batch=batch)
        yield (sums * (halves / draws)).unflatten(0, (-1, data.flips, halves))


def _sums(
    denoiser: Denoiser,
    process: Process,
    projector: Projector,
    samples: tuple[Tensor, ...],
    *,
    draws: int,
    batch: int,
) -> Tensor:
    """The projector's sums over each so many consecutive draws: [B / draws, L, p].

    Args:
        samples: B of x0, timesteps, noise and text.
        batch: passes at a time. The sum of more draws is made in parts, because it is linear.
    """
    at_once = max(1, batch // draws) * draws
    sums = []
    for some in zip(*(x.split(at_once) for x in samples), strict=True):
        parts = zip(*(x.split(min(batch, at_once)) for x in some), strict=True)
        by_part = (_sum(denoiser, process, projector, *part, draws=draws) for part in parts)
        sums.append(reduce(torch.add, by_part))
    return torch.cat(sums)


def _sum(
    denoiser: Denoiser,
    process: Process,
    projector: Projector,
    x0: Tensor,
    t: Tensor,
    noise: Tensor,
    text: Tensor,
    *,
    draws: int,
) -> Tensor:
    """The same of one pass, or [1, L, p] of a part of the draws."""
    draws = min(draws, len(x0))
    config, group = projector.config, projector.group_of(draws)
    with (
        arithmetic(config.precision, x0.device),
        per_sample_gradients(denoiser, projector.weights, group=group) as gradients,
    ):
        noise = noise.to(x0)
        losses = denoising_loss(denoiser, process, x0, t, noise, text, objective=config.objective)
        losses.sum().backward()
    return projector.summed(gradients, draws)


def query_gradients(
    denoiser: Denoiser,
    process: Process,
    queries: Queries,
    projector: Projector,
    *,
    draws: int,
    timestep: int | None,
    batch: int,
) -> Tensor:
    """The same features of Q queries: [Q, H, L, p].

    Args:
        queries: with their final latents, or for a `timestep` with those predicted there.
        draws: number of draws of (t, ε) for each query.
        timestep: all draws at this timestep (JourneyTRAK: 400), in place of the scheme of
            `config.timesteps`.
    """
    config = projector.config
    halves, order = halves_of_draws(draws, antithetic=config.antithetic)
    features = []
    for query_id, latent, text in zip(
        queries.noise_seeds, queries.latents, queries.text, strict=True
    ):
        index = order.to(latent.device)
        identity = _SHARED if config.shared_draws else (query_id, _QUERY)
        t, noise = draw(config, identity, index, draws, process.timesteps, tuple(latent.shape))
        if timestep is not None:
            t = torch.full_like(index, timestep)
        x0, condition = (x.expand(draws, *x.shape) for x in (latent, text))
        by_half = zip(*(x.chunk(halves) for x in (x0, t, noise, condition)), strict=True)
        sums = [
            _sums(denoiser, process, projector, half, draws=draws // halves, batch=batch)
            for half in by_half
        ]
        features.append(torch.cat(sums) * (halves / draws))
    return torch.stack(features)


def gradient_rows(
    path: Path,
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    projector: Projector,
    *,
    batch: int,
    identity: str,
    save_seconds: float,
    more: bool = False,
) -> Rows:
    """The features of the training set, float32 [N, F, H, L, p], filled beside `path`.

    Args:
        identity, save_seconds: as in `Rows`.
        more: whether the job does this again for others.
    """
    config = projector.config
    halves, _ = halves_of_draws(config.draws, antithetic=config.antithetic)
    shape = (data.images, data.flips, halves, *projector.shape)
    rows = Rows(path, np.float32, shape, identity=identity, save_seconds=save_seconds)
    rows.fill(
        training_gradients(denoiser, process, data, projector, batch=batch, first=rows.filled),
        more=more,
    )
    return rows
