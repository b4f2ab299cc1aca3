"""Evaluation: the losses of a model on queries, and the pictures it generates for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from leavekout.base.precision import arithmetic
from leavekout.config.experiment import Model, Sampling
from leavekout.contract.outcome import Outcome, combined
from leavekout.encoders.vae import decode_latents
from leavekout.leave_k_out.config import Evaluation
from leavekout.models.denoiser import Denoiser
from leavekout.models.loss import query_losses
from leavekout.models.process import build_process
from leavekout.models.sampling import sample_latents
from leavekout.queries.loading import Queries


def evaluate(
    denoiser: Denoiser,
    vae: Any,
    sets: Sequence[Queries],
    null_text: np.ndarray,
    model: Model,
    evaluation: Evaluation,
    sampling: Sampling,
    *,
    about: Mapping[str, Any],
    removed: np.ndarray,
    batch: int,
) -> Outcome:
    """The outcome of a model on sets of queries; each set is one batch of the sampler.

    Args:
        null_text: [T, E]; about, removed: see `Outcome`.
        batch: forward passes at a time, for the losses.
    """
    outcomes = []
    for queries in sets:
        losses = losses_on_queries(denoiser, model, evaluation, queries, batch=batch)
        latents = sample_latents(
            denoiser,
            build_process(model),
            sampling,
            queries.text,
            null_text,
            queries.noise_seeds,
        )
        pictures = decode_latents(vae, latents)
        outcomes.append(
            Outcome(about, queries.names, losses, latents.cpu().numpy(), pictures, removed)
        )
    return combined(outcomes)


def losses_on_queries(
    denoiser: Denoiser,
    model: Model,
    evaluation: Evaluation,
    queries: Queries,
    *,
    batch: int,
) -> np.ndarray:
    """L(ẑ, θ) of Q queries at the evaluation's timesteps: float64 [Q, T']."""
    process = build_process(model)
    with arithmetic(evaluation.precision, queries.latents.device):
        return query_losses(
            denoiser,
            process,
            queries.latents,
            queries.text,
            torch.tensor(queries.noise_seeds, dtype=torch.int64),
            timesteps=process.strided_timesteps(evaluation.timestep_stride),
            seed=evaluation.seed,
            batch=batch,
        )
