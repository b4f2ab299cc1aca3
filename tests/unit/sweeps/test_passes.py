"""Draws of a loss sweep, and what is read from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.noise import Domain, normal
from leavekout.config.experiment import LossSweep, Refinement
from leavekout.methods.unlearning.readout import best_share, halves_of, read_out, scores_of
from leavekout.sweeps.losses import pass_losses, sweep_rows, training_losses
from leavekout.sweeps.passes import Passes, passes_of
from world import make_data

SWEEP = LossSweep(timestep_stride=7, captions=2, seed=4)
IDS = torch.tensor([3, 900])
SHAPE = (4, 2, 2)


def passes(**changes: Any) -> Passes:
    config = SWEEP.model_copy(update=changes)
    return Passes(config, 20, 0, config.draws)


def test_each_draw_has_its_own_noise_and_further_draws_do_not_change_the_first() -> None:
    one, three = passes(), passes(draws=3)
    t, noise = three.drawn(IDS, 2, SHAPE)
    assert t.shape == (4, 2 * 3 * 3)
    assert len(noise.flatten(0, 1).flatten(1).unique(dim=0)) == 4 * 18
    t_one, noise_one = one.drawn(IDS, 2, SHAPE)
    first = noise.view(4, 2, 3, 3, *SHAPE)[:, :, 0]  # of draws, then timesteps
    assert torch.equal(first.flatten(1, 2), noise_one)
    assert torch.equal(t.view(4, 2, 3, 3)[:, :, 0].flatten(1), t_one)
    expected = normal(4, Domain.SWEEP, torch.tensor([900]), 1 | 1 << 1 | 2 << 16, 14, shape=SHAPE)
    assert torch.equal(noise[3, 9 + 6 + 2], expected[0])  # image 900, caption 1, flip 1, draw 2


def test_refinement_draws_where_the_first_sweep_has_ended(process: Any) -> None:
    changes = {"captions": 1, "draws": 2, "refine": Refinement(share=0.5, draws=3)}
    config = SWEEP.model_copy(update=changes)
    _, coarse = passes_of(config, process).drawn(IDS, 1, SHAPE)
    _, fine = passes_of(config, process, refined=True).drawn(IDS, 1, SHAPE)
    together = torch.cat([coarse, fine], 1).flatten(0, 1).flatten(1)
    assert len(together.unique(dim=0)) == len(together) == 2 * 5 * 3


def test_stratified_timesteps_are_uniform_within_their_strides() -> None:
    config = LossSweep(timestep_stride=5, captions=1, seed=4, draws=400, timesteps="stratified")
    t, _ = Passes(config, 18, 0, 400).drawn(IDS, 1, SHAPE)
    t = t.view(2, 400, 4)
    start = torch.tensor([0, 5, 10, 15])
    assert ((t >= start) & (t < torch.tensor([5, 10, 15, 18]))).all()
    counts = torch.bincount(t[..., 1].flatten(), minlength=18)[5:10]
    assert counts.min() > 800 / 5 * 0.7
    # The last stride is short, and its timesteps even all the same.
    assert torch.bincount(t[..., 3].flatten())[15:].min() > 800 / 3 * 0.8


def test_every_second_antithetic_draw_is_the_negative_of_the_one_before() -> None:
    t, noise = passes(draws=4, antithetic=True, timesteps="stratified").drawn(IDS, 1, SHAPE)
    noise, t = noise.view(4, 2, 2, 3, *SHAPE), t.view(4, 2, 2, 3)
    assert torch.equal(noise[:, :, 0], -noise[:, :, 1])
    assert torch.equal(t[:, :, 0], t[:, :, 1])
    assert not torch.equal(noise[:, 0], noise[:, 1])
    half = passes(draws=4, antithetic=True).half.view(2, 2, 2, 3)
    assert torch.equal(half[:, :, 0], half[:, :, 1])


@pytest.mark.parametrize("changes", [{}, {"draws": 2}, {"draws": 4, "antithetic": True}])
def test_halves_see_captions_draws_and_timesteps_about_equally(changes: dict[str, Any]) -> None:
    one = passes(**changes)
    assert abs(int((one.half == 0).sum()) - one.count / 2) <= one.count % 2
    for level in one.strata:
        of_level = one.half[one.level == level]
        assert of_level.float().mean() == 0.5
    if one.draws > 1:  # of one caption and timestep
        draws = one.half.view(2, one.draws, 3).float()
        assert (draws.mean(1) == 0.5).all()


def test_losses_of_some_images_equal_a_whole_sweep_s(denoiser64: Any, process: Any) -> None:
    data = make_data(dtype=torch.float64)
    config = SWEEP.model_copy(update={"draws": 2, "timesteps": "stratified"})
    some = torch.tensor([1, 4, 5])
    parts = passes_of(config, process)
    whole = torch.cat(list(pass_losses(denoiser64, process, data, parts, batch=7)))
    of_some = pass_losses(denoiser64, process, data, parts, batch=30, images=some)
    found = torch.cat(list(of_some))
    torch.testing.assert_close(found, whole[some], rtol=1e-12, atol=0)
    means = training_losses(denoiser64, process, data, config, batch=50)
    np.testing.assert_allclose(means, whole.mean(2).numpy(), rtol=1e-12)


def test_losses_are_reduced_with_the_rows_that_they_are_of(
    denoiser64: Any, process: Any, tmp_path: Path
) -> None:
    data, some = make_data(dtype=torch.float64), torch.tensor([1, 4, 5, 9])
    parts = passes_of(SWEEP, process)

    def with_rows(losses: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([losses.mean(2), rows[:, None].expand(-1, 2)], 2)

    options: Any = {"objective": "loss", "settings": {}, "save_seconds": 1e9}
    model = denoiser64, process
    rows = sweep_rows(
        tmp_path / "l.npy", *model, data, parts, batch=1, images=some, reduce=with_rows, **options
    )
    means = training_losses(*model, data, SWEEP, batch=50)[some]
    np.testing.assert_allclose(rows.array[..., 0], means, rtol=1e-12)
    assert rows.array[..., 1].tolist() == [[row, row] for row in some.tolist()]


@pytest.mark.parametrize("readout", ["difference", "skew"])
def test_read_outs_equal_their_definitions(readout: Any) -> None:
    one = passes(draws=2)  # levels 0, 7 and 14 of 20; the noisier 70 % are those from 6 on
    before, after = torch.rand(2, 3, 2, one.count, dtype=torch.float64)
    found = read_out(after, before, one, readout)
    assert found.shape == (3, 2, 2)
    for image in range(3):
        for flip in range(2):
            halves: list[list[float]] = [[], []]
            for p in range(one.count):
                a, b = float(after[image, flip, p]), float(before[image, flip, p])
                if readout == "skew" and int(one.level[p]) < 6:
                    continue
                term = a - b if readout == "difference" else (a - b) / (a + b + 1e-3)
                halves[int(one.half[p])].append(term)
            whole = np.mean([*halves[0], *halves[1]])
            assert float(found[image, flip].sum()) == pytest.approx(whole)
            for h in range(2):
                assert float(2 * found[image, flip, h]) == pytest.approx(np.mean(halves[h]))


def test_scores_are_the_maximum_over_an_image_and_its_flip() -> None:
    parts = np.array([[[0.25, 0.25], [0.5, -0.25]], [[-1.0, 0.0], [1.0, 2.0]]])
    assert scores_of(parts).tolist() == [0.5, 3.0]
    assert halves_of(parts).tolist() == [[1.0, 2.0], [0.5, 4.0]]
    assert best_share(parts, 0.5).tolist() == [1]
    parts[..., 1] = 0  # no pass is in the second half
    assert np.isnan(halves_of(parts)).all()
