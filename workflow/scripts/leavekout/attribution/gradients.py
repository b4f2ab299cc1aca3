"""Projected per-sample gradients, the features of TRAK, JourneyTRAK, D-TRAK and DataInf.

The features of an image are φ(z) = P ∇_θ E[f(z; t, ε)]: the gradient of the loss, or of another
output f, averaged over draws of timestep, noise and caption, then projected once.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leavekout.attribution.curvature.per_sample import per_sample_gradients
from leavekout.attribution.curvature.projection import Projection
from leavekout.config.methods import Gradients
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser, select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process
from leavekout.noise import Domain, normal, scale_to, words
from leavekout.queries.loading import Queries
from leavekout.runtime.job import progress
from leavekout.runtime.precision import arithmetic
from leavekout.runtime.rows import write_rows

_QUERY = 2  # in the place of the flip, 0 or 1, in the identity of a training image's draw
_SHARED = (0, 3)  # in the place of image and flip, where all images and queries share draws


class GradientProjector:
    """Projects gradients of one model's chosen weights: jointly, or each weight by itself.

    Args:
        model_seed: the model's training seed; every model has projections of its own, as in TRAK.
    """

    def __init__(
        self, denoiser: Denoiser, config: Gradients, *, model_seed: int, device: torch.device
    ) -> None:
        self.config = config
        self.weights = select_weights(denoiser, config.weights)
        sizes = [parameter.numel() for parameter in self.weights.values()]
        # d of each projected block, [L].
        self.entries = sizes if config.layout == "by_layer" else [sum(sizes)]
        self.projections = [
            Projection(
                d, config.dimension, seed=config.seed + model_seed, number=number, device=device
            )
            for number, d in enumerate(self.entries)
        ]

    def __call__(self, gradients: Mapping[str, Tensor]) -> Tensor:
        """Gradients [B, *weight.shape] by name → [B, L, p]."""
        blocks = [gradients[name].flatten(1) for name in self.weights]
        if self.config.layout == "joint":
            blocks = [torch.cat(blocks, 1)]
        pairs = zip(self.projections, blocks, strict=True)
        return torch.stack([projection(block) for projection, block in pairs], 1)

    def group_of(self, draws: int) -> int:
        """How many draws' gradients may be added up before they are projected, of so many."""
        return 1 if self.config.normalise else draws

    def summed(self, gradients: Mapping[str, Tensor], draws: int) -> Tensor:
        """The sum over each image's draws of their features: [B, L, p].

        Args:
            gradients: of the draws' losses, added up over as many draws as `group_of` says.
        """
        features = self(gradients)
        if not self.config.normalise:
            return features
        lengths = torch.linalg.vector_norm(features, dim=(1, 2), keepdim=True)  # of each draw
        return (features / lengths).unflatten(0, (-1, draws)).sum(1)


def halves_of_draws(draws: int) -> tuple[int, Tensor]:
    """How many halves draws make, and the draws of the one and then of the other: int64 [draws].

    Draws take turns, so that both halves of evenly spaced timesteps cover all of them. One draw, or
    an odd number, makes no two halves.
    """
    order = torch.arange(draws)
    return (1, order) if draws % 2 else (2, torch.cat([order[::2], order[1::2]]))


def draw_timesteps(
    config: Gradients, first: Tensor, number: Tensor, draws: int, timesteps: int
) -> Tensor:
    """Timesteps of draws, from one random word of each: `random`, or `uniform` in strides.

    Args:
        first: int64 [R, D], words.
        number: int64 [D], of the draws among `draws`.

    Returns:
        int64 [R, D].
    """
    if config.timesteps == "random":
        return scale_to(first, timesteps)
    return (number.to(first.device) * timesteps // draws).expand_as(first)


def training_gradients(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    projector: GradientProjector,
    *,
    batch: int,
    first: int = 0,
) -> Iterator[Tensor]:
    """Yields features [b, F, H, L, p] of b images at a time, from row `first` to the last.

    Draws are keyed to (image id, flip, draw), so features do not depend on `batch`. Each of the H
    parts is of half of the draws; the features of all are the mean of the parts.

    Args:
        batch: forward passes at a time, of one image and its flips at least.
    """
    config, draws = projector.config, projector.config.draws
    halves, order = halves_of_draws(draws)
    group = projector.group_of(draws // halves)
    at_once = max(1, batch // (draws * data.flips))  # images
    starts = range(first, data.images, at_once)
    for start in progress(starts, "projected gradients", total=len(starts), every_seconds=20):
        rows = torch.arange(start, min(start + at_once, data.images))
        image, flip = torch.cartesian_prod(rows, torch.arange(data.flips)).T  # [R]
        ids = data.image_ids[image].to(data.device)
        number = order.to(data.device).repeat(len(ids))
        identity: tuple[Tensor | int, ...] = (
            ids.repeat_interleave(draws),
            flip.to(data.device).repeat_interleave(draws),
            number,
        )
        caption = scale_to(words(config.seed, Domain.GRADIENT, *identity)[1], data.captions).cpu()
        if config.shared_draws:
            identity = (*_SHARED, number)
        word = words(config.seed, Domain.GRADIENT, *identity)[0].reshape(-1, draws)
        t = draw_timesteps(config, word, order, draws, process.timesteps).flatten()
        noise = normal(config.seed, Domain.GRADIENT, *identity, shape=data.latent_shape)
        x0 = data.latents[image, flip].repeat_interleave(draws, 0)
        text = data.text[image.repeat_interleave(draws), caption]
        with (
            arithmetic(config.precision, data.device),
            per_sample_gradients(denoiser, projector.weights, group=group) as gradients,
        ):
            losses = denoising_loss(
                denoiser, process, x0, t, noise.to(x0), text, objective=config.objective
            )
            losses.sum().backward()
        features = projector.summed(gradients, draws // halves) * (halves / draws)
        yield features.unflatten(0, (len(rows), data.flips, halves))


def query_gradients(
    denoiser: Denoiser,
    process: Process,
    queries: Queries,
    projector: GradientProjector,
    *,
    draws: int,
    timestep: int | None,
    batch: int,
) -> Tensor:
    """The same features of Q queries: [Q, H, L, p].

    Args:
        draws: number of draws of (t, ε) for each query.
        timestep: all draws at this timestep (JourneyTRAK: 400), in place of the scheme of
            `config.timesteps`.
    """
    config = projector.config
    halves, order = halves_of_draws(draws)
    features = []
    for query_id, latent, text in zip(
        queries.noise_seeds, queries.latents, queries.text, strict=True
    ):
        index = order.to(latent.device)
        total: list[Tensor] = []  # of each half, [1, L, p]
        for half in index.chunk(halves):
            sums = torch.zeros(())
            for part in half.split(batch):
                identity = (*(_SHARED if config.shared_draws else (query_id, _QUERY)), part)
                word = words(config.seed, Domain.GRADIENT, *identity)[0]
                t = draw_timesteps(config, word[None], part, draws, process.timesteps)[0]
                if timestep is not None:
                    t = torch.full_like(part, timestep)
                noise = normal(config.seed, Domain.GRADIENT, *identity, shape=latent.shape)
                x0 = latent.expand(len(part), *latent.shape)
                condition = text.expand(len(part), *text.shape)
                group = projector.group_of(len(part))
                with (
                    arithmetic(config.precision, latent.device),
                    per_sample_gradients(denoiser, projector.weights, group=group) as gradients,
                ):
                    losses = denoising_loss(
                        denoiser,
                        process,
                        x0,
                        t,
                        noise.to(x0),
                        condition,
                        objective=config.objective,
                    )
                    losses.sum().backward()
                sums = sums.to(latent.device) + projector.summed(gradients, len(part))
            total.append(sums * (halves / draws))
        features.append(torch.cat(total))
    return torch.stack(features)


def write_gradients(
    path: Path,
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    projector: GradientProjector,
    *,
    batch: int,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes the features of the training set: float32 [N, F, H, L, p].

    Args:
        identity, save_seconds: as in `Rows`.
    """

    def parts(first: int) -> Iterator[Tensor]:
        return training_gradients(denoiser, process, data, projector, batch=batch, first=first)

    halves, _ = halves_of_draws(projector.config.draws)
    shape = (data.images, data.flips, halves, len(projector.entries), projector.config.dimension)
    write_rows(path, np.float32, shape, parts, identity=identity, save_seconds=save_seconds)
