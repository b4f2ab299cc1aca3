"""The sweep, ΔL and the scores against plain loops."""

from typing import Any

import numpy as np
import torch

from leavekout.base.noise import Domain, normal
from leavekout.config.experiment import LossSweep
from leavekout.data.encoded import EncodedData
from leavekout.models.loss import query_losses
from leavekout.sweeps.losses import training_losses
from reference import plain_errors
from world import CPU

SWEEP = LossSweep(timestep_stride=7, captions=3, seed=4)


def plain_loss(denoiser: Any, process: Any, x0: Any, t: int, noise: Any, text: Any) -> float:
    """One sample's loss from its definition."""
    error, _ = plain_errors(denoiser, process, x0[None], torch.tensor([t]), noise[None], text[None])
    return float(error.square().mean())


@torch.no_grad()
def test_sweep_equals_a_plain_loop(denoiser64: Any, process: Any, data64: Any) -> None:
    expected = np.zeros((data64.images, data64.flips))
    for row in range(data64.images):
        for flip in range(data64.flips):
            losses = []
            for t in (0, 7, 14):
                for caption in range(3):
                    image = data64.image_ids[row : row + 1]
                    variant = flip | caption << 1
                    noise = normal(4, Domain.SWEEP, image, variant, t, shape=(4, 4, 4))[0].double()
                    x0 = data64.latents[torch.tensor([row]), torch.tensor([flip])][0]
                    text = data64.text[torch.tensor([row]), torch.tensor([caption])][0]
                    losses.append(plain_loss(denoiser64, process, x0, t, noise, text))
            expected[row, flip] = np.mean(losses)
    found = training_losses(denoiser64, process, data64, SWEEP, batch=16)
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_scores_do_not_depend_on_batch_size(denoiser64: Any, process: Any, data64: Any) -> None:
    sweeps = [training_losses(denoiser64, process, data64, SWEEP, batch=b) for b in (1, 5, 13, 500)]
    for other in sweeps[1:]:
        np.testing.assert_allclose(other, sweeps[0], rtol=1e-12)


def test_scores_do_not_depend_on_the_order_of_images(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    data = data64
    order = np.random.default_rng(0).permutation(data.images)
    null_text, ids = data.null_text.numpy(), data.image_ids.numpy()[order]
    arrays = data.latents.array[order], data.text.array[order], null_text, ids
    shuffled = EncodedData(*arrays, device=CPU, dtype=torch.float64)
    straight = training_losses(denoiser64, process, data, SWEEP, batch=16)
    found = training_losses(denoiser64, process, shuffled, SWEEP, batch=16)
    np.testing.assert_allclose(found, straight[order], rtol=1e-12)


@torch.no_grad()
def test_loss_change_equals_a_plain_loop(denoiser64: Any, process: Any, data64: Any) -> None:
    latents = data64.latents[torch.arange(3), torch.zeros(3, dtype=torch.int64)]
    text = data64.text[torch.arange(3), torch.ones(3, dtype=torch.int64)]
    ids, timesteps = torch.tensor([11, 5, 900]), torch.arange(0, 20, 3)

    def losses() -> np.ndarray:
        options: Any = {"timesteps": timesteps, "seed": 8, "batch": 4}
        return query_losses(denoiser64, process, latents, text, ids, **options)

    def plain(query: int) -> float:
        each = []
        for t in timesteps.tolist():
            noise = normal(8, Domain.EVALUATION, ids[query : query + 1], t, shape=(4, 4, 4))
            x0, c = latents[query], text[query]
            each.append(plain_loss(denoiser64, process, x0, t, noise[0].double(), c))
        return float(np.mean(each))

    source, before = losses(), [plain(q) for q in range(3)]
    for parameter in denoiser64.parameters():
        parameter += 0.05
    changed, after = losses(), [plain(q) for q in range(3)]
    for q in range(3):
        expected = after[q] - before[q]
        assert abs(expected) > 1e-3
        found = changed[q].mean() - source[q].mean()
        np.testing.assert_allclose(found, expected, rtol=1e-5)
