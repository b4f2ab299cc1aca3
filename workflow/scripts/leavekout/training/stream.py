"""The paired stream: the image, caption, flip and timestep of each training sample.

The sample at a position is a function of (seed, position) alone. So retrainings with one seed have
the same images, timesteps and noise at every position, except where an image was removed. There a
kept image replaces it, chosen by (seed, position) alone. If two removals differ in few images,
their streams differ at few positions.
"""

from functools import lru_cache

import torch
from torch import Tensor

from leavekout.base.noise import Domain, random_uint32, scale_to, to_unit
from leavekout.data.encoded import EncodedData, Samples

_REPLACEMENT = 1 << 31  # second counter word of replacements; epochs are far below it


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, n: int) -> Tensor:
    """The order of the N rows in one epoch: int64 [N], a permutation keyed by (seed, epoch)."""
    high, low, _, _ = random_uint32(seed, Domain.ORDER, torch.arange(n), epoch)
    return torch.argsort((high << 31) | (low >> 1), stable=True)


class Stream:
    """The stream of samples over N images, with some rows removed.

    Args:
        images: N, the images before removal.
        flips, captions, timesteps: the numbers of values that are drawn uniformly.
        caption_dropout: probability that a sample is shown without its caption.
        removed: int64 [K], rows that must not appear.
        seed, domain: key of all draws.
    """

    def __init__(
        self,
        *,
        images: int,
        flips: int,
        captions: int,
        timesteps: int,
        caption_dropout: float,
        removed: Tensor,
        seed: int,
        domain: Domain,
    ) -> None:
        self.images = images
        self.flips, self.captions, self.timesteps = flips, captions, timesteps
        self.caption_dropout = caption_dropout
        self.seed, self.domain = seed, domain
        self.is_removed = torch.zeros(images, dtype=torch.bool)
        self.is_removed[removed] = True

    @classmethod
    def of_images(cls, data: EncodedData, *, timesteps: int, seed: int, domain: Domain) -> "Stream":
        """A stream over the training images of a data set, without caption dropout."""
        return cls(
            images=data.images,
            flips=data.flips,
            captions=data.captions,
            timesteps=timesteps,
            caption_dropout=0.0,
            removed=data.held_out,
            seed=seed,
            domain=domain,
        )

    def samples(self, start: int, stop: int) -> Samples:
        """The samples at positions start … stop - 1."""
        positions = torch.arange(start, stop)
        draws = random_uint32(self.seed, self.domain, positions)
        return Samples(
            positions=positions,
            rows=self._rows(positions),
            timesteps=scale_to(draws[0], self.timesteps),
            captions=scale_to(draws[1], self.captions),
            flips=scale_to(draws[2], self.flips),
            drop_caption=to_unit(draws[3]) < self.caption_dropout,
        )

    def _rows(self, positions: Tensor) -> Tensor:
        epochs = positions // self.images
        rows = torch.empty_like(positions)
        for epoch in epochs.unique().tolist():
            in_epoch = epochs == epoch
            order = epoch_order(self.seed, epoch, self.images)
            rows[in_epoch] = order[positions[in_epoch] % self.images]
        attempt = 0
        while (again := self.is_removed[rows]).any():
            candidates = random_uint32(
                self.seed, Domain.ORDER, positions[again], _REPLACEMENT, attempt
            )
            rows[again] = scale_to(candidates[0], self.images)
            attempt += 1
        return rows
