"""DMin against a loop over images, timesteps and groups, one backward pass each."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32
from leavekout.data.encoded import EncodedData
from leavekout.methods.dmin.compression import Compressor, inner_products
from leavekout.methods.dmin.settings import Dmin
from leavekout.models.denoiser import select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import draw, query_gradients, training_gradients
from world import CPU

CONFIG = Dmin(draws=4, dimension=7, seed=3)


def one_gradient(
    denoiser: Any, process: Process, x0: Tensor, text: Tensor, identity: tuple[int, int], t: int
) -> Tensor:
    """∇L of one image at its draw number t, flattened: [d]."""
    number = torch.tensor([t])
    key = tuple(torch.tensor([i]) for i in identity)
    timestep, noise = draw(CONFIG, key, number, CONFIG.draws, process.timesteps, tuple(x0.shape))
    assert int(timestep) == t * process.timesteps // CONFIG.draws
    weights = list(select_weights(denoiser, CONFIG.weights).values())
    loss = denoising_loss(denoiser, process, x0[None], timestep, noise.to(x0), text[None])
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss.sum(), weights)])


def compressed_by_hand(gradient: Tensor) -> list[float]:
    """Length one, permuted, signed, summed in consecutive groups."""
    entries = [float(x) for x in gradient / gradient.norm()]
    drawn = random_uint32(CONFIG.seed, Domain.PROJECTION, torch.arange(len(entries)), 0, 3)
    order = sorted(range(len(entries)), key=lambda i: int(drawn[0][i]))
    signs = [1 - 2 * (int(word) % 2) for word in drawn[1]]
    run = -(-len(entries) // CONFIG.dimension)
    groups = [0.0] * CONFIG.dimension
    for place, entry in enumerate(order):
        groups[place // run] += signs[place] * entries[entry]
    return groups


def test_scores_are_mean_inner_products_of_compressed_gradients(
    data64: EncodedData, denoiser64: Any, process: Process
) -> None:
    captions = data64.captions
    query = data64.latents[torch.tensor([2]), torch.tensor([0])][0] * 0.9
    text = data64.text[torch.tensor([1]), torch.tensor([0])][0]
    queries = Queries(["q000"], [77], query[None], text[None], [0])
    compressor = Compressor(denoiser64, CONFIG, draws=2, device=CPU)
    model = denoiser64, process
    of_images = torch.cat(list(training_gradients(*model, data64, compressor, batch=8)))
    of_query = query_gradients(*model, queries, compressor, draws=4, timestep=None, batch=4)
    scores, halves = inner_products(of_images.numpy(), of_query)

    wanted = [
        compressed_by_hand(one_gradient(denoiser64, process, query, text, (77, 2), t))
        for t in range(CONFIG.draws)
    ]
    for row in range(data64.images):
        by_flip = []
        for flip in range(data64.flips):
            image_id = int(data64.image_ids[row])
            found = []
            for t in range(CONFIG.draws):
                key = tuple(torch.tensor([i]) for i in (image_id, flip, t))
                word = int(random_uint32(CONFIG.seed, Domain.GRADIENT, *key)[1])
                caption = torch.tensor([word * captions >> 32])
                x0 = data64.latents[torch.tensor([row]), torch.tensor([flip])][0]
                states = data64.text[torch.tensor([row]), caption][0]
                gradient = one_gradient(denoiser64, process, x0, states, (image_id, flip), t)
                pairs = zip(wanted[t], compressed_by_hand(gradient), strict=True)
                found.append(sum(a * b for a, b in pairs))
            by_flip.append(found)
        assert scores[0, row] == pytest.approx(max(np.mean(found) for found in by_flip), rel=1e-9)
        for half in range(2):  # draws take turns
            expected = max(np.mean(found[half::2]) for found in by_flip)
            assert halves[0, half, row] == pytest.approx(expected, rel=1e-9)


def test_compression_keeps_inner_products_on_average(denoiser64: Any) -> None:
    """Random signs make them unbiased, whatever the number of groups."""
    entries = sum(w.numel() for w in select_weights(denoiser64, CONFIG.weights).values())
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn(2, entries, generator=generator, dtype=torch.float64)
    pair[1] += pair[0]
    unit = pair / pair.norm(dim=1, keepdim=True)
    found = []
    for seed in range(300):
        config = CONFIG.model_copy(update={"seed": seed, "dimension": 16})
        a, b = Compressor(denoiser64, config, draws=1, device=CPU).compressed(pair)
        found.append(float(a @ b))
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(float(unit[0] @ unit[1]), abs=4 * error)
    assert error < 0.05


def test_more_groups_than_weights_are_refused(denoiser64: Any) -> None:
    config = CONFIG.model_copy(update={"dimension": 10**9})
    with pytest.raises(InputError, match="groups are more than the"):
        Compressor(denoiser64, config, draws=1, device=CPU)
