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


def draw_timesteps(config: Gradients, first: Tensor, draws: int, timesteps: int) -> Tensor:
    """Timesteps of draws, from one random word of each: `random`, or `uniform` in strides.

    Args:
        first: int64 [R, draws], words.

    Returns:
        int64 [R, draws].
    """
    if config.timesteps == "random":
        return scale_to(first, timesteps)
    return (torch.arange(draws, device=first.device) * timesteps // draws).expand_as(first)


def training_gradients(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    projector: GradientProjector,
    *,
    batch: int,
    first: int = 0,
) -> Iterator[Tensor]:
    """Yields features [b, F, L, p] of b images at a time, from row `first` to the last.

    Draws are keyed to (image id, flip, draw), so features do not depend on `batch`.

    Args:
        batch: forward passes at a time, of one image and its flips at least.
    """
    config, draws = projector.config, projector.config.draws
    at_once = max(1, batch // (draws * data.flips))  # images
    starts = range(first, data.images, at_once)
    for start in progress(starts, "projected gradients", total=len(starts), every_seconds=20):
        rows = torch.arange(start, min(start + at_once, data.images))
        image, flip = torch.cartesian_prod(rows, torch.arange(data.flips)).T  # [R]
        ids = data.image_ids[image].to(data.device)
        identity = torch.stack(
            [
                ids.repeat_interleave(draws),
                flip.to(data.device).repeat_interleave(draws),
                torch.arange(draws, device=data.device).repeat(len(ids)),
            ]
        )
        word = words(config.seed, Domain.GRADIENT, *identity)
        t = draw_timesteps(config, word[0].reshape(-1, draws), draws, process.timesteps).flatten()
        caption = scale_to(word[1], data.captions).cpu()
        noise = normal(config.seed, Domain.GRADIENT, *identity, shape=data.latent_shape)
        x0 = data.latents[image, flip].repeat_interleave(draws, 0)
        text = data.text[image.repeat_interleave(draws), caption]
        with (
            arithmetic(config.precision, data.device),
            per_sample_gradients(denoiser, projector.weights, group=draws) as gradients,
        ):
            losses = denoising_loss(
                denoiser, process, x0, t, noise.to(x0), text, objective=config.objective
            )
            (losses.sum() / draws).backward()
        yield projector(gradients).unflatten(0, (len(rows), data.flips))


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
    """The same features of Q queries: [Q, L, p].

    Args:
        draws: number of draws of (t, ε) for each query.
        timestep: all draws at this timestep (JourneyTRAK: 400), in place of the scheme of
            `config.timesteps`.
    """
    config = projector.config
    features = []
    for query_id, latent, text in zip(
        queries.noise_seeds, queries.latents, queries.text, strict=True
    ):
        total: dict[str, Tensor] = {}
        index = torch.arange(draws, device=latent.device)
        word = words(config.seed, Domain.GRADIENT, query_id, _QUERY, index)[0]
        all_t = draw_timesteps(config, word[None], draws, process.timesteps)[0]
        if timestep is not None:
            all_t = torch.full_like(index, timestep)
        for part in index.split(batch):
            identity = (query_id, _QUERY, part)
            noise = normal(config.seed, Domain.GRADIENT, *identity, shape=latent.shape)
            x0 = latent.expand(len(part), *latent.shape)
            condition = text.expand(len(part), *text.shape)
            with (
                arithmetic(config.precision, latent.device),
                per_sample_gradients(denoiser, projector.weights, group=len(part)) as gradients,
            ):
                losses = denoising_loss(
                    denoiser,
                    process,
                    x0,
                    all_t[part],
                    noise.to(x0),
                    condition,
                    objective=config.objective,
                )
                (losses.sum() / draws).backward()
            for name, gradient in gradients.items():
                total[name] = total[name] + gradient if name in total else gradient
        features.append(projector(total)[0])
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
    """Writes the features of the training set: float32 [N, F, L, p].

    Args:
        identity, save_seconds: as in `Rows`.
    """

    def parts(first: int) -> Iterator[Tensor]:
        return training_gradients(denoiser, process, data, projector, batch=batch, first=first)

    shape = (data.images, data.flips, len(projector.entries), projector.config.dimension)
    write_rows(path, np.float32, shape, parts, identity=identity, save_seconds=save_seconds)
