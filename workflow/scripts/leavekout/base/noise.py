"""Random numbers keyed to what they are for, the same on every device and in every batch.

A counter-based generator (Philox4x32-10; Salmon et al., *Parallel random numbers: as easy as
1, 2, 3*, SC 2011) turns a key and a counter into random bits. The key is (seed, domain). The
counter is the identity of a draw, for instance (image, flip, timestep). So a draw depends neither
on its batch nor on earlier draws.
"""

import math
from collections.abc import Sequence
from enum import IntEnum

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
# The last word of a counter numbers the blocks of a noise array. No block has this number.
_NOT_NOISE = 1 << 31


class Domain(IntEnum):
    """What a draw is for. Draws of different domains are independent for the same seed."""

    ORDER = 1  # order of images in an epoch of training, and the images that replace removed ones
    TRAINING = 2  # timestep, noise, flip, caption and caption dropout of a training sample
    FISHER = 3  # the same for a Fisher sample
    SWEEP = 4  # noise of the losses over the training images
    UNLEARNING = 5  # timestep and noise of a query's gradient
    EVALUATION = 6  # noise of a query's loss
    SAMPLING = 7  # noise that a query is generated from
    REMOVAL = 8  # random removal sets
    PROMPTS = 9  # which prompts become queries
    PROJECTION = 10  # signs and rows of a random projection
    GRADIENT = 11  # timestep, noise, flip and caption of a projected gradient
    MIRRORED = (
        13  # timestep and noise of a query, and its accompanying images, in mirrored unlearning
    )
    PATCHES = 14  # noise of a query that is compared with patches of images
    CUSTOMIZATION = 12  # image, caption, flip, timestep and noise of a customization's sample
    TOPIC = 17  # topic sets
    LATENTS = 16  # noise of a latent that is sampled from the VAE's posterior


def philox(counter: Sequence[Tensor | int], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox4x32-10.

    Args:
        counter: four int64 tensors of one broadcast shape, or ints, each in [0, 2^32).
        key: two ints in [0, 2^32).

    Returns:
        Four int64 tensors of the broadcast shape, uniform in [0, 2^32).
    """
    tensors = [torch.as_tensor(c, dtype=torch.int64) for c in counter]
    device = next((t.device for t in tensors if t.dim()), tensors[0].device)
    c0, c1, c2, c3 = torch.broadcast_tensors(*(t.to(device) for t in tensors))
    k0, k1 = key
    for _ in range(_ROUNDS):
        # 32 x 32 -> 64 bit products wrap into the sign bit of int64; the masks undo the sign.
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        high0, low0 = (p0 >> 32) & _MASK, p0 & _MASK
        high1, low1 = (p1 >> 32) & _MASK, p1 & _MASK
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def random_uint32(seed: int, domain: Domain, *identity: Tensor | int) -> tuple[Tensor, ...]:
    """Four independent words, uniform in [0, 2^32), for identities of up to three numbers."""
    counter = (*identity, *(0,) * (3 - len(identity)), _NOT_NOISE)
    return philox(counter, (seed & _MASK, int(domain)))


def scale_to(word: Tensor, n: int | Tensor) -> Tensor:
    """Uniform integers in [0, n) from words; the bias is below n / 2^32."""
    return (word * n) >> 32


def to_unit(word: Tensor) -> Tensor:
    """Uniform float64 in (0, 1) from words."""
    return (word.double() + 0.5) / 2.0**32


def normal(seed: int, domain: Domain, *identity: Tensor | int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 noise [B, *shape] for B identities of up to three numbers each.

    A number that all B share may be given as an int. The method is Box-Muller on Philox words, so
    the noise of an identity is bit for bit independent of the other identities.
    """
    size = math.prod(shape)
    block = torch.arange((size + 3) // 4)  # four numbers from each counter
    ids = [torch.as_tensor(i, dtype=torch.int64) for i in identity]
    device = next((i.device for i in ids if i.dim()), ids[0].device)
    columns = [i.to(device).reshape(-1, 1) for i in ids]
    counter = [*columns, *[torch.tensor(0)] * (3 - len(ids)), block.to(device)]
    word = philox(counter, (seed & _MASK, int(domain)))
    pairs = []
    for a, b in (word[:2], word[2:]):
        radius = torch.sqrt(-2.0 * torch.log(to_unit(a).float()))
        angle = 2.0 * math.pi * to_unit(b).float()
        pairs += [radius * torch.cos(angle), radius * torch.sin(angle)]
    return torch.stack(pairs, dim=-1).flatten(1)[:, :size].unflatten(1, shape)
