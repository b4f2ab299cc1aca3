"""The process that a denoiser reverses: how latents are noised, and what is predicted."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from leavekout.config.experiment import Sampling
from leavekout.config.model import FlowMatching, Model, NoiseSchedule

_TIME_SCALE = 1000.0  # the range of times that a denoiser's time embedding is made for


class Process(ABC):
    """A process from data to noise, with T timesteps that are drawn uniformly.

    Args:
        config: its `timesteps` is T. Timesteps are numbers below T, and noise is keyed to them.
    """

    def __init__(self, config: NoiseSchedule | FlowMatching) -> None:
        self.config = config
        self.timesteps = config.timesteps

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings that results depend on."""
        return {"process": type(self.config).__name__, **self.config.model_dump()}

    def strided_timesteps(self, stride: int) -> Tensor:
        """Timesteps 0, stride, 2·stride, …: int64 [ceil(T / stride)]."""
        return torch.arange(0, self.timesteps, stride)

    @abstractmethod
    def noised(self, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t from clean latents and noise [B, C, h, w], at timesteps int64 [B]."""

    @abstractmethod
    def scales(self, timestep: int) -> tuple[float, float]:
        """s and σ of x_t = s x_0 + σ ε."""

    @abstractmethod
    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """The target of the prediction: [B, C, h, w]."""

    @abstractmethod
    def times(self, timesteps: Tensor) -> Tensor:
        """The denoiser's time inputs [B] at timesteps int64 [B]."""

    @abstractmethod
    def sampler(self, config: Sampling) -> Any:
        """The reverse process: a scheduler of diffusers, with its timesteps set."""

    @abstractmethod
    def predicted_x0(self, stepped: Any, x_t: Tensor, predicted: Tensor, time: Tensor) -> Tensor:
        """x̂_0, the clean latents that the sampler predicts in a step.

        Args:
            stepped: the sampler's output of the step from x_t, with the prediction f_θ(x_t).
            time: the sampler's timestep, one number.
        """


class Diffusion(Process):
    """DDPM: x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε, and ε is predicted (Ho et al., NeurIPS 2020)."""

    def __init__(self, config: NoiseSchedule) -> None:
        super().__init__(config)
        betas = config.model_dump(exclude={"timesteps"})
        self._schedule = {"num_train_timesteps": config.timesteps, **betas}
        self.scheduler = DDPMScheduler(**self._schedule, clip_sample=False)

    def noised(self, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t, see `Process`."""
        return self.scheduler.add_noise(x0, noise, timesteps)

    def scales(self, timestep: int) -> tuple[float, float]:
        """√ᾱ_t and √(1 − ᾱ_t)."""
        kept = float(self.scheduler.alphas_cumprod[timestep])
        return kept**0.5, (1 - kept) ** 0.5

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """ε."""
        return noise

    def times(self, timesteps: Tensor) -> Tensor:
        """The timesteps themselves."""
        return timesteps

    def sampler(self, config: Sampling) -> Any:
        """DDPM or DDIM."""
        kind = DDPMScheduler if config.sampler == "ddpm" else DDIMScheduler
        sampler = kind(
            **self._schedule,
            clip_sample=config.clip_x0 is not None,
            clip_sample_range=config.clip_x0 or 1.0,
        )
        sampler.set_timesteps(config.steps)
        return sampler

    def predicted_x0(self, stepped: Any, x_t: Tensor, predicted: Tensor, time: Tensor) -> Tensor:
        """(x_t − √(1 − ᾱ_t) ε) / √ᾱ_t, clamped if the sampler clamps it."""
        return stepped.pred_original_sample


class RectifiedFlow(Process):
    """x_t = (1 − t) x_0 + t ε, and the velocity ε − x_0 is predicted.

    Liu et al., *Flow Straight and Fast* (ICLR 2023). The density of times is from Esser et al.,
    *Scaling Rectified Flow Transformers for High-Resolution Image Synthesis* (ICML 2024), eq. 19.
    Timestep i of T is the time at the density's quantile (i + ½) / T.
    """

    def __init__(self, config: FlowMatching) -> None:
        super().__init__(config)
        quantiles = (torch.arange(config.timesteps, dtype=torch.float64) + 0.5) / config.timesteps
        logit_normal = config.density == "logit_normal"
        self.t = torch.special.ndtri(quantiles).sigmoid() if logit_normal else quantiles

    def _at(self, timesteps: Tensor) -> Tensor:
        if self.t.device != timesteps.device:
            self.t = self.t.to(timesteps.device)
        return self.t[timesteps]

    def noised(self, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t, see `Process`."""
        t = self._at(timesteps).to(x0.dtype)[:, None, None, None]
        return (1 - t) * x0 + t * noise

    def scales(self, timestep: int) -> tuple[float, float]:
        """1 − t and t."""
        t = float(self.t[timestep])
        return 1 - t, t

    def target(self, x0: Tensor, noise: Tensor) -> Tensor:
        """The velocity ε − x_0."""
        return noise - x0

    def times(self, timesteps: Tensor) -> Tensor:
        """1000 t."""
        return (_TIME_SCALE * self._at(timesteps)).float()

    def sampler(self, config: Sampling) -> Any:
        """Euler's method from t = 1 to 0 in equal steps."""
        sampler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=int(_TIME_SCALE))
        sampler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / config.steps, config.steps))
        return sampler

    def predicted_x0(self, stepped: Any, x_t: Tensor, predicted: Tensor, time: Tensor) -> Tensor:
        """x_t − t v."""
        return x_t - float(time) / _TIME_SCALE * predicted


def build_process(model: Model) -> Process:
    """The process of a model's denoiser."""
    config = model.process
    return Diffusion(config) if isinstance(config, NoiseSchedule) else RectifiedFlow(config)
