"""Projected gradients against autograd, and whole scores against traker."""

import logging
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from trak import TRAKer
from trak.modelout_functions import AbstractModelOutput
from trak.projectors import AbstractProjector, ProjectionType
from trak.utils import vectorize

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.config.experiment import Sampling
from leavekout.methods.influence.projector import GradientProjector
from leavekout.methods.influence.settings import Gradients
from leavekout.methods.influence.solvers import Features, ridge_scores
from leavekout.models.denoiser import select_weights
from leavekout.models.process import Diffusion
from leavekout.models.sampling import sample_latents
from leavekout.queries.generation import predicted_latents
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import (
    draw,
    draw_timesteps,
    gradient_rows,
    halves_of_draws,
    query_gradients,
    training_gradients,
)
from reference import explicit_matrix, plain_errors
from world import CPU, SAVING, make_data

JOINT = Gradients(
    objective="loss", weights="cross_attention_kv", timesteps="random", draws=4,
    layout="joint", dimension=16, seed=4,
)  # fmt: skip


def draws_of(config: Gradients, data: Any, row: int, flip: int) -> list[Any]:
    """(x0, t, ε, text) of each draw of one image and flip."""
    result = []
    for j in range(config.draws):
        identity = [torch.tensor([v]) for v in (int(data.image_ids[row]), flip, j)]
        word = random_uint32(config.seed, Domain.GRADIENT, *identity)
        uniform = j * 20 // config.draws
        t = scale_to(word[0], 20) if config.timesteps == "random" else torch.tensor([uniform])
        noise = normal(config.seed, Domain.GRADIENT, *identity, shape=data.latent_shape).double()
        x0 = data.latents[torch.tensor([row]), torch.tensor([flip])]
        text = data.text[torch.tensor([row]), scale_to(word[1], data.captions)]
        result.append((x0, t, noise, text))
    return result


def projected(projector: GradientProjector, gradients: list[torch.Tensor]) -> torch.Tensor:
    """P g with the explicit matrix of each of the projector's blocks: [L, p]."""
    if len(projector.projections) == 1:
        gradients = [torch.cat(gradients)]
    pairs = zip(projector.projections, gradients, strict=True)
    return torch.stack([explicit_matrix(p) @ g for p, g in pairs])


def plain_gradient(
    denoiser: Any, process: Any, config: Gradients, draws: list[Any]
) -> list[torch.Tensor]:
    """∇ of the mean of the objective over draws, one autograd pass, flat for each weight."""
    weights = select_weights(denoiser, config.weights)
    total = torch.zeros((), dtype=torch.float64)
    for x0, t, noise, text in draws:
        error, output = plain_errors(denoiser, process, x0, t, noise, text)
        objectives = {"loss": error.square(), "squared_output": output.square()}
        total = total + objectives.get(config.objective, output).mean() / len(draws)
    return [g.flatten() for g in torch.autograd.grad(total, list(weights.values()))]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weights": "all", "dimension": 32},
        {"objective": "squared_output", "timesteps": "uniform"},
        {"objective": "mean_output"},
        {"layout": "by_layer", "dimension": 8},
    ],
)
def test_features_are_projected_autograd_gradients(
    changes: dict[str, Any], denoiser64: Any, process: Any, data64: Any
) -> None:
    config = JOINT.model_copy(update=changes)
    projector = GradientProjector(denoiser64, config, model_seed=2, device=CPU)
    parts = training_gradients(denoiser64, process, data64, projector, batch=12)
    halves = torch.cat(list(parts))
    assert halves.shape[2] == 2
    features = halves.mean(2)
    for row, flip in ((0, 0), (3, 1), (11, 0)):
        gradient = plain_gradient(denoiser64, process, config, draws_of(config, data64, row, flip))
        assert len(projector.projections) == (1 if config.layout == "joint" else len(gradient))
        expected = projected(projector, gradient)
        assert expected.abs().max() > 0
        # alphas_cumprod is float32 in diffusers, which bounds the agreement.
        torch.testing.assert_close(features[row, flip], expected, rtol=1e-5, atol=1e-8)


def test_halves_are_of_every_second_draw(denoiser64: Any, process: Any, data64: Any) -> None:
    projector = GradientProjector(denoiser64, JOINT, model_seed=2, device=CPU)
    features = torch.cat(list(training_gradients(denoiser64, process, data64, projector, batch=12)))
    draws = draws_of(JOINT, data64, 3, 1)
    for half in range(2):
        gradient = plain_gradient(denoiser64, process, JOINT, draws[half::2])
        expected = projected(projector, gradient)
        torch.testing.assert_close(features[3, 1, half], expected, rtol=1e-5, atol=1e-8)


def test_normalised_draws_are_of_length_one_before_their_mean(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    config = JOINT.model_copy(update={"normalise": True})
    projector = GradientProjector(denoiser64, config, model_seed=2, device=CPU)

    def expected(draws: list[Any]) -> torch.Tensor:
        features = []
        for one in draws:
            feature = projected(projector, plain_gradient(denoiser64, process, config, [one]))[0]
            features.append(feature / feature.norm())
        return torch.stack(features).mean(0)

    parts = training_gradients(denoiser64, process, data64, projector, batch=12)
    found = torch.cat(list(parts))
    whole = expected(draws_of(config, data64, 3, 1))
    torch.testing.assert_close(found[3, 1].mean(0)[0], whole, rtol=1e-5, atol=1e-8)
    queries = make_queries()
    options: Any = {"draws": 4, "timestep": None, "batch": 3}
    of_queries = query_gradients(denoiser64, process, queries, projector, **options)
    draws = query_draws(queries, 1, 4)
    torch.testing.assert_close(of_queries[1].mean(0)[0], expected(draws), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("layout", ["joint", "by_layer"])
def test_a_normalised_draw_has_length_one_over_all_layers(layout: Any, denoiser64: Any) -> None:
    config = JOINT.model_copy(update={"normalise": True, "layout": layout, "dimension": 8})
    projector = GradientProjector(denoiser64, config, model_seed=2, device=CPU)
    gradients = {name: torch.randn(1, *w.shape).double() for name, w in projector.weights.items()}
    found = projector.summed(gradients, 1)
    assert float(found.norm()) == pytest.approx(1)
    assert found.shape == (1, *projector.shape)


def test_each_model_of_an_ensemble_has_a_projection_of_its_own(denoiser64: Any) -> None:
    one, other = (
        GradientProjector(denoiser64, JOINT, model_seed=seed, device=CPU).projections[0]
        for seed in (0, 1)
    )
    assert not torch.equal(one.signs, other.signs)
    assert not torch.equal(one.rows, other.rows)


def test_shared_draws_are_the_same_for_all_images_and_queries(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    """A query that is a training image, with its caption, has that image's features."""
    data = make_data(images=3, flips=1, dtype=torch.float64)
    data.text.array[:, 1:] = data.text.array[:, :1]  # whichever caption is drawn
    config = JOINT.model_copy(update={"shared_draws": True})
    projector = GradientProjector(denoiser64, config, model_seed=2, device=CPU)
    parts = training_gradients(denoiser64, process, data, projector, batch=12)
    row, first = torch.tensor([1]), torch.tensor([0])
    query = Queries(["q000"], [77], data.latents[row, first], data.text[row, first], [0])
    options: Any = {"draws": config.draws, "timestep": None, "batch": 3}
    found = query_gradients(denoiser64, process, query, projector, **options)
    torch.testing.assert_close(found[0], torch.cat(list(parts))[1, 0], rtol=1e-6, atol=1e-9)


def test_features_do_not_depend_on_the_batch_size(
    denoiser64: Any, process: Any, data64: Any, tmp_path: Path
) -> None:
    projector = GradientProjector(denoiser64, JOINT, model_seed=0, device=CPU)
    files = []
    for batch in (1, 7, 1000):
        files.append(tmp_path / f"{batch}.npy")
        options = {**SAVING, "batch": batch}
        gradient_rows(files[-1], denoiser64, process, data64, projector, **options).finish()
    first, *others = [np.load(file) for file in files]
    assert first.shape == (12, 2, 2, 1, 16)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-6, atol=1e-9)


def make_queries() -> Queries:
    generator = torch.Generator().manual_seed(5)
    return Queries(
        names=["q000", "q001"],
        noise_seeds=[77, 78],
        latents=torch.randn(2, 4, 4, 4, generator=generator, dtype=torch.float64),
        text=torch.randn(2, 5, 6, generator=generator, dtype=torch.float64),
        rows=[0, 1],
    )


def query_draws(queries: Queries, i: int, count: int, timestep: int | None = None) -> list[Any]:
    """The draws of query i: its latent, timestep, noise and text."""
    draws = []
    for j in range(count):
        identity = (queries.noise_seeds[i], 2, torch.tensor([j]))
        drawn = scale_to(random_uint32(JOINT.seed, Domain.GRADIENT, *identity)[0], 20)
        t = drawn if timestep is None else torch.tensor([timestep])
        noise = normal(JOINT.seed, Domain.GRADIENT, *identity, shape=(4, 4, 4))
        draws.append((queries.latents[i][None], t, noise.double(), queries.text[i][None]))
    return draws


@pytest.mark.parametrize("timestep", [None, 13])
def test_query_features_are_projected_autograd_gradients(
    timestep: int | None, denoiser64: Any, process: Any
) -> None:
    queries = make_queries()
    projector = GradientProjector(denoiser64, JOINT, model_seed=0, device=CPU)
    options: Any = {"draws": 5, "timestep": timestep, "batch": 2}
    found = query_gradients(denoiser64, process, queries, projector, **options)
    for i in range(len(queries.names)):
        draws = query_draws(queries, i, 5, timestep)
        expected = projected(projector, plain_gradient(denoiser64, process, JOINT, draws))
        torch.testing.assert_close(found[i, 0], expected, rtol=1e-5, atol=1e-8)


GUIDANCE, JOURNEY_STEP = 2.0, 8


def plain_journey(denoiser: Any, process: Any, text: Any, null: Any, seed: int) -> torch.Tensor:
    """x̂_0 at the timestep, in a loop of its own; diffusers' sampler clamps it as it comes."""
    x = normal(0, Domain.SAMPLING, torch.tensor([seed]), shape=(4, 4, 4))

    def guided(x: torch.Tensor, time: Any) -> torch.Tensor:
        conditional, unconditional = (denoiser(x, time, states[None]) for states in (text, null))
        return unconditional + GUIDANCE * (conditional - unconditional)

    if isinstance(process, Diffusion):
        generator, sampler = torch.Generator().manual_seed(seed), DDPMScheduler(20, 1e-3, 0.2)
        sampler.set_timesteps(20)
        for t in sampler.timesteps:
            stepped = sampler.step(guided(x, t), t, x, generator=generator)
            if t == JOURNEY_STEP:
                return stepped.pred_original_sample
            x = stepped.prev_sample
    for step in range(20):  # v from t = 1 to 0; the time nearest to that of the timestep
        t, nearest = 1 - step / 20, round(20 * float(process.scales(JOURNEY_STEP)[1])) / 20
        v = guided(x, torch.tensor([1000 * t]))
        if abs(t - nearest) < 1e-6:
            return x - t * v
        x = x - v / 20
    raise AssertionError(process)


def test_journey_trak_s_scores_are_those_along_the_trajectory(
    denoiser64: Any, process: Any, data64: Any
) -> None:
    """From the model to the scores, by plain loops, autograd and an explicit inverse in float64."""
    denoiser, seeds = deepcopy(denoiser64).float(), [77, 78]
    text, null = make_queries().text.float(), np.ones((5, 6), np.float32)
    ddpm = isinstance(process, Diffusion)
    sampling = Sampling(
        sampler="ddpm" if ddpm else "euler",
        steps=20,
        guidance=GUIDANCE,
        clip_x0=1.0 if ddpm else None,
    )
    latents = sample_latents(denoiser, process, sampling, text, null, seeds)
    queries = Queries(["q000", "q001"], seeds, latents, text, [0, 1])
    arguments: Any = (null, sampling, process)
    options: Any = {"timestep": JOURNEY_STEP, "batch": 1}
    x0 = predicted_latents(denoiser, queries, *arguments, **options)
    journey = replace(queries, latents=x0.double(), text=text.double())
    projector = GradientProjector(denoiser64, JOINT, model_seed=0, device=CPU)
    model = (denoiser64, process)
    images = torch.cat(list(training_gradients(*model, data64, projector, batch=24)))
    options = {"draws": 20, "timestep": JOURNEY_STEP, "batch": 7}
    of_queries = query_gradients(*model, journey, projector, **options).mean(1)
    solved = Features(images.numpy()), of_queries
    found = ridge_scores(*solved, damping=0.0, device=CPU).max(2)

    phi = torch.stack(
        [
            projected(projector, plain_gradient(*model, JOINT, draws_of(JOINT, data64, row, flip)))
            for row in range(12)
            for flip in range(2)
        ]
    )[:, 0].numpy()
    inverse = np.linalg.inv(phi.T @ phi / 2)
    for i, seed in enumerate(seeds):
        with torch.no_grad():
            expected = plain_journey(denoiser, process, text[i], torch.from_numpy(null), seed)
        torch.testing.assert_close(x0[i][None], expected, rtol=1e-3, atol=1e-4)
        gradient = plain_gradient(*model, JOINT, query_draws(journey, i, 20, JOURNEY_STEP))
        scores = phi @ inverse @ projected(projector, gradient)[0].numpy()
        scores = scores.reshape(12, 2).max(1)
        np.testing.assert_allclose(found[i], scores, rtol=1e-3, atol=1e-3 * np.ptp(scores))
    # Flips as rows of their own in ΦᵀΦ, as published, divide all scores by their number.
    apart = Features(images.reshape(24, 1, *images.shape[2:]).numpy())
    each = ridge_scores(apart, of_queries, damping=0.0, device=CPU)
    np.testing.assert_allclose(2 * each.reshape(2, 12, 2).max(2), found, rtol=1e-6)

    other = replace(queries, latents=latents.flip(0))
    with pytest.raises(InputError, match=r"'q000': generated again, its latents differ by \d+ %"):
        predicted_latents(denoiser, other, *arguments, timestep=0, batch=2)


def test_uniform_timesteps_cover_the_range_in_strides() -> None:
    config = JOINT.model_copy(update={"timesteps": "uniform", "draws": 4})
    t = draw_timesteps(config, torch.zeros(2, 4, dtype=torch.int64), torch.arange(4), 4, 1000)
    assert t.tolist() == [[0, 250, 500, 750]] * 2
    t = draw_timesteps(config, torch.zeros(1, 7, dtype=torch.int64), torch.arange(7), 7, 1000)
    assert t.tolist() == [[0, 142, 285, 428, 571, 714, 857]]


def test_stratified_timesteps_are_within_their_strata_and_negatives_share_them() -> None:
    changes: dict[str, Any] = {"timesteps": "stratified", "antithetic": True}
    config = JOINT.model_copy(update=changes)
    halves, order = halves_of_draws(8, antithetic=True)
    assert (halves, order.tolist()) == (2, [0, 1, 4, 5, 2, 3, 6, 7])
    ids = (torch.arange(500).repeat_interleave(8), torch.zeros(4000, dtype=torch.int64))
    t, noise = draw(config, ids, order, 8, 1000, (2, 2, 2))
    t, noise = t.view(500, 4, 2), noise.view(500, 4, 2, 2, 2, 2)
    assert torch.equal(t[..., 0], t[..., 1])
    assert torch.equal(noise[:, :, 0], -noise[:, :, 1])
    for place, unit in enumerate((0, 2, 1, 3)):
        assert (t[:, place] // 250 == unit).all()
    assert t[:, 0].float().std() > 60  # not at one timestep of the stretch
    assert halves_of_draws(6, antithetic=True)[0] == 1


class _Output(AbstractModelOutput):
    """The objective of one image, the mean over its draws, as traker asks for it."""

    def __init__(self, process: Any, objective: str) -> None:
        self.process, self.objective = process, objective

    def get_output(self, model: Any, weights: Any, buffers: Any, *batch: Any) -> torch.Tensor:
        x0, t, noise, text = batch

        def call(*inputs: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(model, (weights, buffers), inputs)

        # The process's own x_t and target, which are tested elsewhere: they run under vmap.
        x_t, target = self.process.noised(x0, noise, t), self.process.target(x0, noise)
        predicted = call(x_t, self.process.times(t), text)
        error = predicted - target if self.objective == "loss" else predicted
        return error.square().mean()

    def get_out_to_loss_grad(self, model: Any, weights: Any, buffers: Any, batch: Any) -> Any:
        return torch.ones(len(batch[0]), 1)


class _OurProjection(AbstractProjector):
    """Our projection as an explicit matrix, in traker's interface."""

    def __init__(self, matrix: torch.Tensor, names: list[str]) -> None:
        super().__init__(matrix.shape[1], matrix.shape[0], 0, ProjectionType.rademacher, "cpu")
        self.matrix, self.names = matrix, names

    def project(self, grads: Any, model_id: int) -> torch.Tensor:
        flat = vectorize({name: grads[name] for name in self.names}, device="cpu")
        return flat.float() @ self.matrix.T


@pytest.mark.parametrize(("objective", "damping"), [("loss", 0.0), ("squared_output", 2.0)])
def test_trak_and_d_trak_scores_equal_the_traker_package_s(
    objective: Any, damping: float, denoiser64: Any, process: Any, tmp_path: Path
) -> None:
    """From the model to the scores; only draws and the projection matrix are shared."""
    data = make_data(images=40, flips=1, dtype=torch.float64)
    config = JOINT.model_copy(update={"objective": objective, "dimension": 8})
    queries = make_queries()
    projector = GradientProjector(denoiser64, config, model_seed=0, device=CPU)
    file, model = tmp_path / "g.npy", (denoiser64, process)
    gradient_rows(file, *model, data, projector, batch=30, **SAVING).finish()
    of_queries = query_gradients(*model, queries, projector, draws=4, timestep=None, batch=4)
    features = Features(np.load(file))
    found = ridge_scores(features, of_queries.mean(1), damping=damping, device=CPU)[:, :, 0]

    names = list(projector.weights)
    denoiser64.requires_grad_(True)
    # traker divides gradients by the square root of their length, and then λ does not fit.
    length = sum(weight.numel() for weight in projector.weights.values())
    traker = TRAKer(
        denoiser64,
        _Output(process, objective),
        train_set_size=40,
        device="cpu",
        proj_dim=8,
        projector=_OurProjection(explicit_matrix(projector.projections[0]).float(), names),
        save_dir=str(tmp_path / "trak"),
        use_half_precision=False,
        grad_wrt=names,
        lambda_reg=damping / length,
        logging_level=logging.ERROR,
    )
    traker.load_checkpoint(denoiser64.state_dict(), model_id=0)
    for row in range(40):
        draws = draws_of(config, data, row, 0)
        batch = [torch.cat(parts)[None] for parts in zip(*draws, strict=True)]
        traker.featurize(batch, inds=np.array([row]))
    traker.finalize_features()
    traker.start_scoring_checkpoint("test", denoiser64.state_dict(), model_id=0, num_targets=2)
    for i in range(2):
        parts = zip(*query_draws(queries, i, 4), strict=True)
        traker.score([torch.cat(part)[None] for part in parts], num_samples=1)
    scores = np.asarray(traker.finalize_scores("test")).T.astype(np.float64)  # [2, 40]
    # traker's scores have a scale of their own; it computes in float32.
    scores *= np.linalg.norm(found) / np.linalg.norm(scores)
    np.testing.assert_allclose(scores, found, rtol=2e-3, atol=2e-3 * np.abs(found).max())
