"""Sampling: as diffusers' own pipeline loop does it, and keyed to the query."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from leavekout.config.experiment import Sampling
from leavekout.models.sampling import sample_latents
from leavekout.noise import Domain, normal
from world import SCHEDULE

DDIM = Sampling(sampler="ddim", steps=5, guidance=3.0, clip_x0=None)
DDPM = Sampling(sampler="ddpm", steps=20, guidance=2.0, clip_x0=1.0)


@pytest.fixture
def unet(unet64: Any) -> Any:
    return unet64.float()


def sample(unet: Any, config: Sampling, text: Any, null: Any, seeds: list[int]) -> torch.Tensor:
    return sample_latents(unet, config, SCHEDULE, text, null, seeds, shape=(4, 4, 4))


@pytest.fixture
def conditions() -> tuple[torch.Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 6, generator=generator), torch.randn(5, 6, generator=generator).numpy()


@pytest.mark.parametrize("config", [DDIM, DDPM])
def test_a_query_comes_out_the_same_alone_and_in_a_batch(
    config: Sampling, unet: Any, conditions: Any
) -> None:
    text, null = conditions
    together = sample(unet, config, text, null, [10, 20, 30])
    for i, seed in enumerate([10, 20, 30]):
        alone = sample(unet, config, text[i : i + 1], null, [seed])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(together[0], sample(unet, config, text, null, [11, 20, 30])[0])


@pytest.mark.parametrize("config", [DDIM, DDPM])
@torch.no_grad()
def test_sampling_equals_a_plain_loop(config: Sampling, unet: Any, conditions: Any) -> None:
    text, null = conditions
    kind = DDIMScheduler if config.sampler == "ddim" else DDPMScheduler
    scheduler = kind(20, beta_start=1e-3, beta_end=0.2, clip_sample=config.sampler == "ddpm")
    scheduler.set_timesteps(config.steps)
    generator = torch.Generator().manual_seed(7)
    x = normal(0, Domain.SAMPLING, torch.tensor([7]), shape=(4, 4, 4))
    for t in scheduler.timesteps:
        conditional = unet(x, t, text[:1]).sample
        unconditional = unet(x, t, torch.from_numpy(null)[None]).sample
        guided = (1 - config.guidance) * unconditional + config.guidance * conditional
        x = scheduler.step(guided, t, x, generator=generator).prev_sample
    found = sample(unet, config, text[:1], null, [7])
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-4)
