"""Scores every training image by its projected gradients, averaged over source models."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from leavekout.base.artifacts import load_npy
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model
from leavekout.contract.scores import save_halves, save_scores
from leavekout.methods.influence.projector import GradientProjector
from leavekout.methods.influence.settings import Gradients, Influence
from leavekout.methods.influence.solvers import (
    cosine_scores,
    das_scores,
    datainf_scores,
    ensemble_scores,
    ridge_scores,
    with_halves,
)
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.sweeps.gradients import query_gradients

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    method = Influence(**run.params.influence)
    queries = Queries.load(run.input, run.params.names, run.device)
    if predicted := run.input.get("predicted"):
        queries = replace(queries, latents=torch.from_numpy(load_npy(predicted)).to(run.device))
    # Where models have seen different images, a file says which.
    trained = load_npy(run.input.trained) if run.input.get("trained") else None

    def scores_of_models() -> Iterator[np.ndarray]:  # noqa: D103
        files = run.input.weights  # of the first model, then of the second, …
        each = len(files) // len(method.source_seeds)
        for number, (seed, gradients) in enumerate(
            zip(method.source_seeds, run.input.gradients, strict=True)
        ):
            weights = files[number * each : (number + 1) * each]
            denoiser = load_denoiser(model, weights, device=run.device)
            projector = GradientProjector(
                denoiser, Gradients(**run.params.gradients), model_seed=seed, device=run.device
            )
            features_of_queries = query_gradients(
                denoiser,
                build_process(model),
                queries,
                projector,
                draws=method.query_draws,
                timestep=method.query_timestep,
                batch=run.resources.batch,
            )
            options: dict[str, Any] = {
                "damping": method.damping,
                "device": run.device,
                "trained": trained,
            }
            solve: Any
            match method.solver:
                case "ridge":
                    solve = ridge_scores
                case "datainf":
                    solve = partial(datainf_scores, entries=projector.entries)
                case "das":
                    losses = load_npy(run.input.losses[number]).astype(np.float64).mean(2)
                    solve = partial(das_scores, losses=losses)
                case "cosine":
                    solve = cosine_scores
            array = load_npy(gradients, mmap=True)
            yield with_halves(array, features_of_queries, partial(solve, **options))

    scores, *halves = ensemble_scores(scores_of_models())
    unknown = np.full((2, *scores.shape), np.nan)
    save_halves(run.output.halves, np.moveaxis(np.stack(halves) if halves else unknown, 0, 1))
    save_scores(run.output.scores, scores, run.wildcards.method)
