"""Projected per-sample gradients, the features of TRAK, JourneyTRAK, D-TRAK and DataInf.

The features of an image are φ(z) = P ∇_θ E[f(z; t, ε)]: the gradient of the loss, or of another
output f, averaged over draws of timestep, noise and caption, then projected once.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from leavekout.artifacts import atomic, create_npy
from leavekout.data import EncodedData
from leavekout.job import progress
from leavekout.loss import ddpm_loss
from leavekout.noise import Domain, normal, scale_to, words
from leavekout.per_sample import per_sample_gradients
from leavekout.projection import Projection
from leavekout.queries import Queries
from leavekout.schema_methods import Gradients
from leavekout.unet import select_weights

_QUERY = 2  # in the place of the flip, 0 or 1, in the identity of a training image's draw


class GradientProjector:
    """Projects gradients of one model's chosen weights: jointly, or each weight by itself.

    Args:
        model_seed: the model's training seed; every model has projections of its own, as in TRAK.
    """

    def __init__(
        self, unet: nn.Module, config: Gradients, *, model_seed: int, device: torch.device
    ) -> None:
        self.config = config
        self.weights = select_weights(unet, config.weights)
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
    unet: nn.Module,
    scheduler: DDPMScheduler,
    data: EncodedData,
    projector: GradientProjector,
    *,
    batch: int,
) -> Iterator[tuple[int, Tensor]]:
    """Yields (first row, features [B, L, p]) over the N·F rows of images and flips, flips last.

    Draws are keyed to (image id, flip, draw), so features do not depend on `batch`.

    Args:
        batch: forward passes at a time.
    """
    config, draws = projector.config, projector.config.draws
    rows = torch.cartesian_prod(torch.arange(data.images), torch.arange(data.flips))
    parts = rows.split(max(1, batch // draws))
    start = 0
    for part in progress(parts, "projected gradients", total=len(parts), every_seconds=20):
        image, flip = part.T  # [R]
        ids = data.image_ids[image].to(data.device)
        identity = torch.stack([
            ids.repeat_interleave(draws),
            flip.to(data.device).repeat_interleave(draws),
            torch.arange(draws, device=data.device).repeat(len(ids)),
        ])  # fmt: skip
        word = words(config.seed, Domain.GRADIENT, *identity)
        t = draw_timesteps(
            config, word[0].reshape(-1, draws), draws, scheduler.config.num_train_timesteps
        ).flatten()
        caption = scale_to(word[1], data.captions).cpu()
        noise = normal(config.seed, Domain.GRADIENT, *identity, shape=data.latent_shape)
        x0 = data.latents[image, flip].repeat_interleave(draws, 0)
        text = data.text[image.repeat_interleave(draws), caption]
        with per_sample_gradients(unet, projector.weights, group=draws) as gradients:
            losses = ddpm_loss(
                unet, scheduler, x0, t, noise.to(x0), text, objective=config.objective
            )
            (losses.sum() / draws).backward()
        yield start, projector(gradients)
        start += len(part)


def query_gradients(
    unet: nn.Module,
    scheduler: DDPMScheduler,
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
        all_t = draw_timesteps(config, word[None], draws, scheduler.config.num_train_timesteps)[0]
        if timestep is not None:
            all_t = torch.full_like(index, timestep)
        for part in index.split(batch):
            identity = (query_id, _QUERY, part)
            noise = normal(config.seed, Domain.GRADIENT, *identity, shape=latent.shape)
            x0 = latent.expand(len(part), *latent.shape)
            condition = text.expand(len(part), *text.shape)
            with per_sample_gradients(unet, projector.weights, group=len(part)) as gradients:
                losses = ddpm_loss(
                    unet, scheduler, x0, all_t[part], noise.to(x0), condition,
                    objective=config.objective,
                )  # fmt: skip
                (losses.sum() / draws).backward()
            for name, gradient in gradients.items():
                total[name] = total[name] + gradient if name in total else gradient
        features.append(projector(total)[0])
    return torch.stack(features)


def write_gradients(
    path: Path,
    unet: nn.Module,
    scheduler: DDPMScheduler,
    data: EncodedData,
    projector: GradientProjector,
    *,
    batch: int,
) -> None:
    """Writes the features of the training set: float32 [N, F, L, p]."""
    blocks, dimension = len(projector.entries), projector.config.dimension
    with atomic(path) as temporary:
        features = create_npy(temporary, np.float32, (data.images, data.flips, blocks, dimension))
        flat = features.reshape(-1, blocks, dimension)
        for start, part in training_gradients(unet, scheduler, data, projector, batch=batch):
            flat[start : start + len(part)] = part.cpu().numpy()
        features.flush()
