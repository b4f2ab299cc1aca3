"""Generates pictures: DDPM or DDIM with classifier-free guidance."""

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

from leavekout.config.experiment import NoiseSchedule, Sampling
from leavekout.models.shared_text import shared_text
from leavekout.noise import Domain, normal
from leavekout.runtime.job import progress


def build_sampler(config: Sampling, schedule: NoiseSchedule) -> DDPMScheduler | DDIMScheduler:
    """The reverse process of `config` for the model's noise schedule."""
    kind = DDPMScheduler if config.sampler == "ddpm" else DDIMScheduler
    sampler = kind(
        num_train_timesteps=schedule.timesteps,
        beta_schedule=schedule.beta_schedule,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        clip_sample=config.clip_x0 is not None,
        clip_sample_range=config.clip_x0 or 1.0,
    )
    sampler.set_timesteps(config.steps)
    return sampler


@torch.no_grad()
def sample_latents(
    unet: nn.Module,
    config: Sampling,
    schedule: NoiseSchedule,
    text: Tensor,
    null_text: np.ndarray,
    noise_seeds: list[int],
    *,
    shape: tuple[int, ...],
    what: str = "sampling",
) -> Tensor:
    """G_θ(ε, c): final latents [Q, 4, h, w] of Q prompts.

    The initial noise and the noise of every DDPM step are keyed to the query's noise seed, so a
    query comes out the same alone and in a batch (but for rounding), and on every model.

    Args:
        text: [Q, T, E]; null_text: [T, E]; noise_seeds: Q numbers below 2^32.
        shape: of one latent.
    """
    device = text.device
    sampler = build_sampler(config, schedule)
    # A sampler's own noise comes from a generator for each query, on the CPU on every device.
    generators = [torch.Generator().manual_seed(seed) for seed in noise_seeds]
    ids = torch.tensor(noise_seeds, dtype=torch.int64)
    latents = normal(0, Domain.SAMPLING, ids, shape=shape).to(device)
    guided = config.guidance != 1.0
    null = torch.from_numpy(null_text).to(text)
    condition = torch.cat([null.expand_as(text), text]) if guided else text
    with shared_text(unet) as keys_and_values:
        shared = keys_and_values(condition)
        for t in progress(sampler.timesteps, what, total=len(sampler.timesteps)):
            inputs = torch.cat([latents, latents]) if guided else latents
            predicted = unet(inputs, t.to(device), shared, return_dict=False)[0]
            if guided:
                unconditional, conditional = predicted.chunk(2)
                predicted = unconditional + config.guidance * (conditional - unconditional)
            latents = sampler.step(predicted, t, latents, generator=generators).prev_sample
    return latents
