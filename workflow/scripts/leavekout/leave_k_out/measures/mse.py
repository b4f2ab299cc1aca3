"""MSE: the squared difference of the two generated pictures (eq. 3 with the L2 distance)."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.measure import Encoder, Measure

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def squared_errors(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """Mean squared difference of the pictures, pixels in [0, 1]: [Q]."""
    return np.array(
        [
            np.square(after / 255.0 - before / 255.0).mean()
            for after, before in zip(outcome.pictures, source.pictures, strict=True)
        ]
    )


MEASURE = Measure(
    name="mse",
    label="MSE",
    meaning="mean squared difference of the two generated pictures, pixels in [0, 1]",
    direction=1,
    unchanged=0.0,
    effect="more changed",
    values=squared_errors,
    range=(0, 1),
    exponent=3,
)
