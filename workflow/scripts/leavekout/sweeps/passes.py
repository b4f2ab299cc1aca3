"""The passes of a loss sweep: the captions, timesteps and noises at which losses are computed."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.config.experiment import LossSweep
from leavekout.models.process import Process


@dataclass(frozen=True)
class Passes:
    """The P = C · D · T' passes of an image and flip, ordered by caption.

    Args:
        config: the sweep's settings.
        timesteps: T of the process.
        draws: D, the draws of noise for each caption and timestep.
        first_draw: the number of the first draw. Refinement continues where the coarse sweep ended.
    """

    config: LossSweep
    timesteps: int
    first_draw: int
    draws: int

    @cached_property
    def strata(self) -> Tensor:
        """Timesteps 0, stride, 2·stride, …: int64 [T']."""
        return torch.arange(0, self.timesteps, self.config.timestep_stride)

    @property
    def count(self) -> int:
        """P."""
        return self.config.captions * self.draws * len(self.strata)

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor, Tensor]:
        """Caption, draw and number of the stratum of each pass: int64 [P]."""
        axes = (self.config.captions, self.draws, len(self.strata))
        caption, draw, stratum = torch.cartesian_prod(*map(torch.arange, axes)).T
        return caption, draw + self.first_draw, stratum

    @cached_property
    def level(self) -> Tensor:
        """The first timestep of each pass's stratum: int64 [P]."""
        return self.strata[self._places[2]]

    @cached_property
    def half(self) -> Tensor:
        """Which of two independent halves a pass belongs to, 0 or 1: int64 [P].

        Halves alternate over captions, draws and timesteps like the colours of a chessboard, so
        both cover them about equally. A noise and its negative are in one half.
        """
        caption, draw, stratum = self._places
        return (caption + self._unit(draw) + stratum) % 2

    def _unit(self, draw: Tensor) -> Tensor:
        return draw // 2 if self.config.antithetic else draw

    def drawn(self, ids: Tensor, flips: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Timesteps int64 [b·C, M] and noise [b·C, M, *shape] of images.

        The M passes of an image and caption are those of the first flip, then of the second. A draw
        is keyed to (image id, flip, caption, timestep, draw) and to nothing else.

        Args:
            ids: int64 [b], of images, on the device where the noise is made.
        """
        config, device = self.config, ids.device
        caption, draw, stratum = (place.to(device) for place in self._places)
        captions, each = config.captions, self.draws * len(self.strata)
        flip = torch.arange(flips, device=device).repeat_interleave(each)  # [M]

        def by_caption(place: Tensor) -> Tensor:  # [P] → [C·M]
            return place.view(captions, 1, each).expand(-1, flips, -1).flatten()

        # Flip, caption and draw share a word of the key.
        variant = flip.repeat(captions) | by_caption(caption << 1 | self._unit(draw) << 16)
        first = self.strata.to(device)[by_caption(stratum)]
        images = len(ids)
        identity = (
            ids.repeat_interleave(captions * flips * each),
            variant.repeat(images),
            first.repeat(images),
        )
        noise = normal(config.seed, Domain.SWEEP, *identity, shape=shape)
        if config.antithetic:
            sign = 1 - 2 * (by_caption(draw) % 2)
            noise *= sign.repeat(images).view(-1, *(1 for _ in shape))
        t = identity[2]
        if config.timesteps == "stratified":
            width = (self.timesteps - t).clamp(max=config.timestep_stride)
            t = t + scale_to(random_uint32(config.seed, Domain.SWEEP, *identity)[0], width)
        size = (images * captions, flips * each)
        return t.unflatten(0, size), noise.unflatten(0, size)


def passes_of(config: LossSweep, process: Process, *, refined: bool = False) -> Passes:
    """The passes that all images get, or those that only refined images get, with fresh noise."""
    if not refined:
        return Passes(config, process.timesteps, 0, config.draws)
    assert config.refine
    return Passes(config, process.timesteps, config.draws, config.refine.draws)
