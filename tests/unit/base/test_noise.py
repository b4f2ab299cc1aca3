"""Philox against its published vectors and a plain loop; draws depend on their identity alone."""

import numpy as np
import pytest
import torch
from scipy import stats

from leavekout.base.noise import Domain, normal, philox, random_uint32, scale_to, to_unit


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # the known answers that accompany the generator's reference implementation
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    def numbers(text: str) -> list[int]:
        return [int(word, 16) for word in text.split()]

    result = philox(list(map(torch.tensor, numbers(counter))), (numbers(key)[0], numbers(key)[1]))
    assert [int(word) for word in result] == numbers(expected)


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """The generator with Python's own integers."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 % 2**32, (p0 >> 32) ^ c[3] ^ k1, p0 % 2**32]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


def test_philox_equals_a_plain_loop_on_random_counters() -> None:
    counters = torch.randint(2**32, (50, 4), generator=torch.Generator().manual_seed(0))
    result = torch.stack(philox(tuple(counters.T), (12345, 6)), dim=1)
    expected = [plain_philox(row, [12345, 6]) for row in counters.tolist()]
    assert result.tolist() == expected


def test_noise_of_an_image_does_not_depend_on_its_batch() -> None:
    ids, t = torch.arange(100), torch.arange(100) % 7
    whole = normal(3, Domain.SWEEP, ids, 1, t, shape=(4, 3, 3))
    for some in (torch.tensor([5]), torch.tensor([99, 5, 17]), torch.arange(99, -1, -3)):
        part = normal(3, Domain.SWEEP, ids[some], 1, t[some], shape=(4, 3, 3))
        assert torch.equal(part, whole[some])


def test_noise_differs_by_seed_domain_and_each_part_of_the_identity() -> None:
    one = torch.tensor([1])
    drawn = [
        normal(0, Domain.SWEEP, one, 0, 0, shape=(8,)),
        normal(1, Domain.SWEEP, one, 0, 0, shape=(8,)),
        normal(0, Domain.FISHER, one, 0, 0, shape=(8,)),
        normal(0, Domain.SWEEP, one, 1, 0, shape=(8,)),
        normal(0, Domain.SWEEP, one, 0, 1, shape=(8,)),
        normal(0, Domain.SWEEP, one + 1, 0, 0, shape=(8,)),
    ]
    assert len({tuple(d.flatten().tolist()) for d in drawn}) == len(drawn)


def test_noise_is_standard_normal() -> None:
    sample = normal(0, Domain.TRAINING, torch.arange(500), shape=(4, 10, 10)).flatten()
    assert sample.isfinite().all()
    assert stats.kstest(sample.numpy(), "norm").pvalue > 0.001
    lags = np.corrcoef(sample[:-1], sample[1:])[0, 1]
    assert abs(lags) < 4 / np.sqrt(len(sample))


def test_integers_are_uniform() -> None:
    drawn = scale_to(random_uint32(0, Domain.TRAINING, torch.arange(30_000))[0], 7)
    assert stats.chisquare(torch.bincount(drawn, minlength=7)).pvalue > 0.001


def test_uniform_numbers_are_neither_0_nor_1() -> None:
    lowest, highest = to_unit(torch.tensor([0, 2**32 - 1])).tolist()
    assert 0 < lowest < highest < 1


def test_words_differ_by_their_key_and_from_those_that_noise_is_made_of() -> None:
    one = torch.tensor([1])
    drawn = [
        random_uint32(0, Domain.SWEEP, one),
        random_uint32(1, Domain.SWEEP, one),
        random_uint32(0, Domain.FISHER, one),
        random_uint32(0, Domain.SWEEP, one, 1),
        philox((one, 0, 0, 0), (0, int(Domain.SWEEP))),  # of the first four numbers of the noise
    ]
    assert len({tuple(int(word) for word in words) for words in drawn}) == len(drawn)
