"""Mirrored unlearning (MUCS): a query is unlearned while training images are preserved.

Serrà et al., *Training Data Attribution in Diffusion Models via Mirrored Unlearning and
Noise-Consistent Skew* (arXiv 2605.17938).
"""

import logging
from collections.abc import Iterable

import torch
from torch import Tensor

from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.base.precision import arithmetic
from leavekout.data.encoded import EncodedData
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.models.denoiser import Denoiser, select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process
from leavekout.queries.loading import Queries
from leavekout.training.stream import Stream

logger = logging.getLogger("leavekout")
FORGET = 0.2  # the weight of the query's loss
NEAR = 0.95  # share of the null loss at which unlearning ends
_WEIGHT_DECAY = 0.01
_NULL_BATCHES = 20
_RETAINED = 0  # in the key of a training image's noise, where a query's has its step from 1 on


def training_batches(
    process: Process, data: EncodedData, *, batch: int, seed: int
) -> Iterable[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Endless batches of training images: x0, text, timesteps and noise."""
    stream = Stream.of_images(data, timesteps=process.timesteps, seed=seed, domain=Domain.MIRRORED)
    start = 0
    while True:
        drawn = stream.samples(start, start + batch)
        x0, text = data.batch(drawn)
        positions, t = drawn.positions.to(data.device), drawn.timesteps.to(data.device)
        noise = normal(seed, Domain.MIRRORED, positions, _RETAINED, shape=data.latent_shape)
        yield x0, text, t, noise.to(x0)
        start += batch


@torch.no_grad()
def null_loss(
    untrained: Denoiser, process: Process, data: EncodedData, *, batch: int, seed: int
) -> float:
    """L_null: the mean loss of training images under an untrained denoiser."""
    batches = training_batches(process, data, batch=batch, seed=seed)
    losses = [
        denoising_loss(untrained, process, x0, t, noise, text).double().mean()
        for _, (x0, text, t, noise) in zip(range(_NULL_BATCHES), batches, strict=False)
    ]
    return float(torch.stack(losses).mean())


def mirrored_ascent(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    query: Queries,
    config: Unlearning,
    *,
    null: float,
) -> int:
    """Moves the weights in place until the query's loss is near an untrained model's.

    Each step descends mean(L(z)) − 0.2 · mean(min(L(ẑ), L_null)) by AdamW, over as many training
    images as copies of the query, with noise of their own. It ends before the step at which
    mean(min(L(ẑ), L_null)) ≥ 0.95 L_null.

    Args:
        query: one query, ẑ. Its noise seed keys its draws, together with the step.
        null: L_null.

    Returns:
        The number of steps taken.
    """
    latent, text = query.latents[0], query.text[0]
    count, device = config.gradient_samples, latent.device
    weights = select_weights(denoiser, config.weights)
    denoiser.requires_grad_(False)
    for parameter in weights.values():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(weights.values(), lr=config.step_size, weight_decay=_WEIGHT_DECAY)
    batches = training_batches(process, data, batch=count, seed=config.seed)
    draws = torch.arange(count, device=device)
    for step, (x0, texts, t, noise) in zip(range(config.steps), batches, strict=False):
        key = (config.seed, Domain.MIRRORED, query.noise_seeds[0], 1 + step, draws)
        with arithmetic(config.precision, device):
            kept = denoising_loss(denoiser, process, x0, t, noise, texts)
            forgotten = denoising_loss(
                denoiser,
                process,
                latent.expand(count, *latent.shape),
                scale_to(random_uint32(*key)[0], process.timesteps),
                normal(*key, shape=latent.shape).to(latent),
                text.expand(count, *text.shape),
            ).clamp(max=null)
            if float(forgotten.detach().mean()) >= NEAR * null:
                break
            optimizer.zero_grad(set_to_none=True)
            (kept.mean() - FORGET * forgotten.mean()).backward()
        optimizer.step()
    else:
        logger.warning(
            "mirrored unlearning took all of its %d steps, but the query's loss is not yet near an "
            "untrained model's; raise 'steps' or 'step_size'",
            config.steps,
        )
        step = config.steps
    denoiser.requires_grad_(False)
    return step
