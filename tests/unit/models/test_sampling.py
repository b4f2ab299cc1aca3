"""Sampling equals diffusers' pipeline loop, and noise is keyed to the query."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from leavekout.base.noise import Domain, normal
from leavekout.config.experiment import Sampling
from leavekout.models.denoiser import Denoiser, build_denoiser
from leavekout.models.process import Process, build_process
from leavekout.models.sampling import sample_latents, trace_latents
from world import CPU, MODELS

SAMPLERS = {
    "ddim": Sampling(sampler="ddim", steps=5, guidance=3.0, clip_x0=None),
    "ddpm": Sampling(sampler="ddpm", steps=20, guidance=2.0, clip_x0=0.7),
    "euler": Sampling(sampler="euler", steps=7, guidance=0.5, clip_x0=None),
}
CASES = [
    (name, SAMPLERS[sampler])
    for name in MODELS
    for sampler in (["euler"] if name.endswith("flow") else ["ddim", "ddpm"])
]


@pytest.fixture
def conditions() -> tuple[torch.Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 6, generator=generator), torch.randn(5, 6, generator=generator).numpy()


def model_with_noise(name: str) -> tuple[Denoiser, Process]:
    """A denoiser away from its initial weights, which hardly attend to the text."""
    denoiser = build_denoiser(MODELS[name], seed=1, device=CPU)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return denoiser, build_process(MODELS[name])


@pytest.mark.parametrize(("name", "config"), CASES)
def test_a_query_comes_out_the_same_alone_and_in_a_batch(
    name: str, config: Sampling, conditions: Any
) -> None:
    text, null = conditions
    model = model_with_noise(name)
    together = sample_latents(*model, config, text, null, [10, 20, 30])
    for i, seed in enumerate([10, 20, 30]):
        alone = sample_latents(*model, config, text[i : i + 1], null, [seed])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-3, atol=1e-4)
    other = sample_latents(*model, config, text, null, [11, 20, 30])
    assert not torch.allclose(together[0], other[0])


@pytest.mark.parametrize(("name", "config"), CASES)
@torch.no_grad()
def test_sampling_equals_a_plain_loop(name: str, config: Sampling, conditions: Any) -> None:
    text, null = conditions
    denoiser, process = model_with_noise(name)

    def guided(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        conditional = denoiser(x, t, text[:1])
        unconditional = denoiser(x, t, torch.from_numpy(null)[None])
        return (1 - config.guidance) * unconditional + config.guidance * conditional

    generator = torch.Generator().manual_seed(7)
    x = normal(0, Domain.SAMPLING, torch.tensor([7]), shape=(4, 4, 4))
    if config.sampler == "euler":  # dx/dt = v, from t = 1 to 0
        for step in range(config.steps):
            t = 1 - step / config.steps
            x = x - guided(x, torch.tensor([1000 * t])) / config.steps
    else:
        kind = DDIMScheduler if config.sampler == "ddim" else DDPMScheduler
        clip: Any = {"clip_sample": config.sampler == "ddpm", "clip_sample_range": 0.7}
        theirs = kind(20, beta_start=1e-3, beta_end=0.2, **clip)
        theirs.set_timesteps(config.steps)
        for t in theirs.timesteps:
            x = theirs.step(guided(x, t), t, x, generator=generator).prev_sample
    found = sample_latents(denoiser, process, config, text[:1], null, [7])
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "config"), CASES)
@torch.no_grad()
def test_the_prediction_at_a_timestep_is_that_of_a_plain_loop(
    name: str, config: Sampling, conditions: Any
) -> None:
    """With the formulas of x̂_0 written out, at the visited timestep that is nearest."""
    text, null = conditions
    denoiser, process = model_with_noise(name)
    visited, predictions = [], []
    x = normal(0, Domain.SAMPLING, torch.tensor([7]), shape=(4, 4, 4))
    generator = torch.Generator().manual_seed(7)
    sampler = process.sampler(config)
    for t in sampler.timesteps:
        conditional, unconditional = (
            denoiser(x, t, states) for states in (text[:1], torch.from_numpy(null)[None])
        )
        f = unconditional + config.guidance * (conditional - unconditional)
        if config.sampler == "euler":
            x0 = x - t / 1000 * f
        else:
            kept = sampler.alphas_cumprod[int(t)]
            x0 = (x - (1 - kept).sqrt() * f) / kept.sqrt()
        visited.append(float(t))
        limit = config.clip_x0
        predictions.append(x0 if limit is None else x0.clamp(-limit, limit))
        x = sampler.step(f, t, x, generator=generator).prev_sample
    for timestep in (0, 9, 19):
        time = float(process.times(torch.tensor([timestep])))
        expected = predictions[int(np.argmin([abs(time - other) for other in visited]))]
        latents, found = trace_latents(
            denoiser, process, config, text[:1], null, [7], timestep=timestep, what="test"
        )
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(latents, x, rtol=1e-3, atol=1e-4)
