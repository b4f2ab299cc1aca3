"""DINO: cosine similarity of the two pictures' DINO features."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.measure import Encoder, Measure, cosines

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def dino_similarities(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """Cosine similarity [Q] of the features, the final states of the class token."""
    assert encoder
    return cosines(encoder(outcome.pictures), encoder(source.pictures))


MEASURE = Measure(
    name="dino",
    label="DINO similarity",
    meaning="cosine similarity of their DINO features",
    direction=-1,
    unchanged=1.0,
    effect="more changed",
    values=dino_similarities,
    range=(-1, 1),
    encoder="dino",
)
