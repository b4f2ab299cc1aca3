"""ΔL: the rise of the diffusion loss on the query (eq. 2)."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.measure import Encoder, Measure

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def loss_changes(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """ΔL(ẑ) = L(ẑ, θ_−K) − L(ẑ, θ0) (eq. 2), with the same noise for both models: [Q]."""
    # One query at a time, because sums over another layout could differ in the last digit.
    return np.array(
        [
            losses.mean() - before.mean()
            for losses, before in zip(outcome.losses, source.losses, strict=True)
        ]
    )


def evaluation_errors(outcome: "Outcome", source: "Outcome") -> np.ndarray:
    """Standard errors of ΔL from the finite number of timesteps and noises: [Q]."""
    return np.array([standard_error(d) for d in outcome.losses - source.losses])


def standard_error(differences: np.ndarray) -> float:
    """Standard error of the mean of [T'] loss differences along the timesteps.

    The differences change slowly with the timestep, and each timestep has new noise, so the noise's
    variance is half the mean square of successive differences (von Neumann, 1941). The plain
    standard deviation would count the slow change as noise. 0 for one timestep.
    """
    steps = np.diff(differences)
    return float(np.sqrt(np.square(steps).mean() / 2 / len(differences))) if len(steps) else 0.0


MEASURE = Measure(
    name="delta_loss",
    label="ΔL",
    meaning="rise of the diffusion loss on the query (ΔL, eq. 2; no unit)",
    direction=1,
    unchanged=0.0,
    effect="more forgotten",
    values=loss_changes,
    errors=evaluation_errors,
    exponent=3,
)
