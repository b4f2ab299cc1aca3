"""Δlog L: the rise of the logarithm of the diffusion loss on the query.

ΔL is a difference of losses, so it counts the timesteps with the largest loss most, which are the
least noisy latents. The logarithm lets each timestep count by its relative rise, and an outlier
among queries less.
"""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.delta_loss import standard_error
from leavekout.leave_k_out.measures.measure import Encoder, Measure

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def rises(outcome: "Outcome", source: "Outcome") -> np.ndarray:
    """log L_t(ẑ, θ_−K) − log L_t(ẑ, θ0) at each evaluated timestep: [Q, T']."""
    return np.log(outcome.losses) - np.log(source.losses)


def log_loss_changes(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """The mean over timesteps of `rises`: [Q]."""
    return rises(outcome, source).mean(axis=1)


def evaluation_errors(outcome: "Outcome", source: "Outcome") -> np.ndarray:
    """Standard errors from the finite number of timesteps and noises: [Q]."""
    return np.array([standard_error(d) for d in rises(outcome, source)])


MEASURE = Measure(
    name="delta_log_loss",
    label="Δlog L",
    meaning="rise of the logarithm of the diffusion loss on the query, mean over timesteps: each "
    "counts by how many percent its loss rises",
    direction=1,
    unchanged=0.0,
    effect="more forgotten",
    values=log_loss_changes,
    errors=evaluation_errors,
    exponent=2,
)
