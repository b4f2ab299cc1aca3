"""Nonparametric attribution against its double loop."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.noise import Domain, normal
from leavekout.contract.scores import split_half_scores
from leavekout.methods.patches.settings import Patches
from leavekout.methods.patches.weights import patch_scores
from world import one_query


def plain_patch(picture: torch.Tensor, y: int, x: int, side: int) -> dict[tuple[int, int], Any]:
    """The pixels of a patch that are inside the picture, by their place in the patch."""
    half = side // 2
    return {
        (dy, dx): picture[:, y + dy, x + dx]
        for dy in range(-half, half + 1)
        for dx in range(-half, half + 1)
        if 0 <= y + dy < picture.shape[1] and 0 <= x + dx < picture.shape[2]
    }


@pytest.mark.parametrize(("patch", "best"), [(1, 2), (3, 2), (5, 100)])
def test_scores_equal_the_double_loop(process: Any, patch: int, best: int) -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(5, 2, 2, 4, 4, generator=generator, dtype=torch.float64)
    query = latents[3, 1] + 0.1 * torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)

    def batches() -> Iterator[tuple[slice, torch.Tensor]]:
        for start in range(0, 5, 2):
            yield slice(start, start + 2), latents[start : start + 2]

    t = torch.tensor([7])
    config = Patches(patch=patch, best=best, seed=1)
    keyed = one_query(query, torch.zeros(1, 1), 9)
    found = patch_scores(keyed, batches, (5, 2), process, config, timestep=7)
    noise = normal(1, Domain.PATCHES, 9, t, shape=(2, 4, 4))
    x_t = process.noised(query[None], noise.double(), t)[0]
    signal, deviation = process.scales(7)
    expected = np.zeros((5, 2))
    places = [(y, x) for y in range(4) for x in range(4)]
    for place in places:
        wanted = plain_patch(x_t, *place, patch)
        weights: dict[tuple[int, int], list[float]] = {}
        for image in range(5):
            for flip in range(2):
                for other in places:
                    known = plain_patch(latents[image, flip], *other, patch)
                    if known.keys() == wanted.keys():
                        differences = [wanted[at] - signal * known[at] for at in wanted]
                        distance = sum(float(d.square().sum()) for d in differences)
                        weight = math.exp(-distance / (2 * deviation**2))
                        weights.setdefault((image, flip), []).append(weight)
        total = sum(map(sum, weights.values()))
        for at, values in weights.items():
            expected[at] += sum(sorted(values)[-best:]) / total
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    if best == 100:
        assert float(found.sum()) == pytest.approx(16)  # the weights of each patch sum to one


def test_noise_and_signal_are_the_process_s(process: Any) -> None:
    x0, noise = torch.randn(2, 1, 2, 4, 4, dtype=torch.float64)
    for timestep in (1, 12):
        signal, deviation = process.scales(timestep)
        expected = process.noised(x0, noise, torch.tensor([timestep]))
        torch.testing.assert_close(signal * x0 + deviation * noise, expected, rtol=1e-5, atol=1e-6)


def test_halves_take_turns() -> None:
    """Each score is the mean over draws, then the better of an image and its flip."""
    of_image, of_flip = [8.0, 1.0, 2.0], [0.0, 4.0, 3.0]  # by draw
    draws = np.stack([of_image, of_flip], 1)[:, None]  # draws, images, flips
    whole, halves = split_half_scores(draws)
    assert whole.tolist() == [pytest.approx(11 / 3)]
    assert halves.tolist() == [[5.0], [4.0]]
    assert np.isnan(split_half_scores(draws[:1])[1]).all()
