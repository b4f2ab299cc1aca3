"""Random projection of gradients: the same on every device, and never a matrix in memory.

A subsampled randomized Hadamard transform (Ailon and Chazelle, *The Fast Johnson-Lindenstrauss
Transform*, SIAM J. Comput. 2009; Tropp, *Improved Analysis of the Subsampled Randomized Hadamard
Transform*, 2011), after a long gradient is folded with random signs (Clarkson and Woodruff, *Low
Rank Approximation and Regression in Input Sparsity Time*, STOC 2013). Its entries are ±1 like those
of TRAK's Rademacher projector, and it is applied in about d operations, whatever the dimension p.
"""

import torch
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32, scale_to

_BLOCK_BITS = 6  # transforms of 2⁶ entries are matrix products
# Gradients are folded to at least this many times p entries. Entries that meet add as much to the
# variance of inner products as a projection to that many dimensions: 1/32 of the projection to p.
_FOLD = 32


def hadamard_transform(x: Tensor) -> Tensor:
    """Multiplies each row of x [B, 2ᵐ] by the Hadamard matrix of order 2ᵐ (entries ±1).

    H of order 2ᵐ is the Kronecker product of smaller ones, each applied as one matrix product.
    """
    batch, size = x.shape
    bits = size.bit_length() - 1
    after = 1
    while bits > 0:
        step = min(bits, _BLOCK_BITS)
        h = _hadamard(step, x)
        if after == 1:
            x = x.reshape(-1, 1 << step) @ h
        else:
            x = torch.matmul(h, x.reshape(-1, 1 << step, after))
        after <<= step
        bits -= step
    return x.reshape(batch, size)


def _hadamard(bits: int, like: Tensor) -> Tensor:
    """The Hadamard matrix of order 2^bits: H[i, j] = (-1)^(number of ones in i & j)."""
    h = torch.ones(1, 1, dtype=like.dtype, device=like.device)
    for _ in range(bits):
        h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
    return h


def _distinct(count: int, size: int, *, seed: int, number: int) -> Tensor:
    """The first `count` distinct numbers below `size` in a stream of uniform draws."""
    draws = 2 * count
    while True:
        drawn = random_uint32(seed, Domain.PROJECTION, torch.arange(draws), number, 1)[0]
        values, order = torch.sort(scale_to(drawn, size), stable=True)
        is_first = torch.ones(draws, dtype=torch.bool)
        is_first[1:] = values[1:] != values[:-1]
        if is_first.sum() >= count:
            return scale_to(drawn, size)[order[is_first].sort().values[:count]]
        draws *= 2


class Projection:
    """The projection P of gradients with d entries to p: g ↦ R H F D g.

    D flips signs at random, F adds up stretches of s entries, each shifted round by a random number
    of places, H is the Hadamard matrix of order s, and R takes p of its rows, without replacement.
    The entries of P are ±1, so ⟨P g, P g'⟩ / p estimates ⟨g, g'⟩, and values are on the scale of
    TRAK's own projectors. A gradient of up to s entries is not folded.

    Args:
        entries: d; dimension: p; seed, number: the key of D, F and R; projections of different
            numbers are independent.

    Raises:
        InputError: p exceeds the next power of two above d.
    """

    def __init__(
        self, entries: int, dimension: int, *, seed: int, number: int, device: torch.device
    ) -> None:
        self.entries, self.dimension = entries, dimension
        whole = _power_of_two(entries)
        if dimension > whole:
            raise InputError(
                f"gradients: a projection to {dimension:,} dimensions is no reduction of gradients "
                f"with {entries:,} entries; lower 'dimension'."
            )
        self.size = min(whole, _power_of_two(_FOLD * dimension))  # s
        counters = torch.arange((entries + 127) // 128, device=device)
        drawn = torch.stack(random_uint32(seed, Domain.PROJECTION, counters, number), 1)  # [·, 4]
        bits = torch.arange(32, device=device)
        self.signs = ((drawn[..., None] >> bits) & 1).flatten()[:entries].to(torch.int8) * 2 - 1
        stretches = torch.arange(-(-entries // self.size))
        word = random_uint32(seed, Domain.PROJECTION, stretches, number, 2)[0]
        # The first is not shifted, so a gradient that fits is unchanged.
        self.shifts = [0, *scale_to(word, self.size).tolist()[1:]]
        self.rows = _distinct(dimension, self.size, seed=seed, number=number).to(device)

    def __call__(self, gradients: Tensor) -> Tensor:
        """[B, d] → [B, p]."""
        folded = gradients.new_zeros(len(gradients), self.size)
        for stretch, shift in enumerate(self.shifts):
            here = slice(stretch * self.size, (stretch + 1) * self.size)
            part = gradients[:, here] * self.signs[here]
            before = min(self.size - shift, part.shape[1])  # entries that stay before the end
            folded[:, shift : shift + before] += part[:, :before]
            folded[:, : part.shape[1] - before] += part[:, before:]
        return hadamard_transform(folded)[:, self.rows]


def _power_of_two(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
