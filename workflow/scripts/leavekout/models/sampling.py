"""Generates pictures by the reverse process, with classifier-free guidance."""

import numpy as np
import torch
from torch import Tensor

from leavekout.base.job import progress
from leavekout.base.noise import Domain, normal
from leavekout.base.precision import arithmetic
from leavekout.config.experiment import Sampling
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process
from leavekout.models.replay import replayed


def sample_latents(
    denoiser: Denoiser,
    process: Process,
    config: Sampling,
    text: Tensor,
    null_text: np.ndarray,
    noise_seeds: list[int],
    *,
    what: str = "sampling",
) -> Tensor:
    """G_θ(ε, c): final latents [Q, 4, h, w] of Q prompts.

    The initial noise and the noise of every DDPM step are keyed to the query's noise seed. So a
    query has the same noise for every model, and the same result in every batch (but for rounding).

    Args:
        text: [Q, T, E]; null_text: [T, E]; noise_seeds: Q numbers below 2^32.
    """
    arguments = (denoiser, process, config, text, null_text, noise_seeds)
    return trace_latents(*arguments, timestep=0, what=what)[0]


@torch.no_grad()
def trace_latents(
    denoiser: Denoiser,
    process: Process,
    config: Sampling,
    text: Tensor,
    null_text: np.ndarray,
    noise_seeds: list[int],
    *,
    timestep: int,
    what: str,
) -> tuple[Tensor, Tensor]:
    """The same final latents, and the x̂_0 that the sampler predicts at a timestep on its way.

    x̂_0 is the sampler's own: with guidance, and clamped if the sampler clamps it. A sampler with
    fewer steps than the process has timesteps visits some alone; the nearest of them counts.

    Returns:
        Final latents and x̂_0, each [Q, 4, h, w].
    """
    device = text.device
    sampler = process.sampler(config)
    asked = process.times(torch.tensor([timestep]))
    kept = int((sampler.timesteps - asked).abs().argmin())  # the step at which x̂_0 is kept
    # The sampler's noise comes from one generator for each query, always on the CPU.
    generators = [torch.Generator().manual_seed(seed) for seed in noise_seeds]
    ids = torch.tensor(noise_seeds, dtype=torch.int64)
    latents = normal(0, Domain.SAMPLING, ids, shape=denoiser.latent_shape).to(device)
    guided = config.guidance != 1.0
    null = torch.from_numpy(null_text).to(text)
    condition = torch.cat([null.expand_as(text), text]) if guided else text
    with denoiser.shared_text() as keys_and_values, arithmetic(config.precision, device):
        shared = keys_and_values(condition)

        def predict(latents: Tensor, t: Tensor) -> Tensor:
            inputs = torch.cat([latents, latents]) if guided else latents
            predicted = denoiser(inputs, t, shared).to(latents.dtype)
            if guided:
                unconditional, conditional = predicted.chunk(2)
                predicted = unconditional + config.guidance * (conditional - unconditional)
            return predicted

        timesteps = sampler.timesteps.to(device)
        # For few pictures, launching kernels takes most of the time, so a GPU replays them.
        step = replayed(predict, latents, timesteps[0])
        for number, (t, on_device) in progress(
            enumerate(zip(sampler.timesteps, timesteps, strict=True)), what, total=len(timesteps)
        ):
            predicted = step(latents, on_device)
            stepped = sampler.step(predicted, t, latents, generator=generators)
            if number == kept:
                x0 = process.predicted_x0(stepped, latents, predicted, t).clone()
            latents = stepped.prev_sample
    return latents, x0
