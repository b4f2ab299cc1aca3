"""CLIP: cosine similarity of the two pictures' CLIP image embeddings (eq. 3 with CLIP)."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.measure import Encoder, Measure, cosines

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def clip_similarities(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """Cosine similarity [Q] of the pictures' embeddings."""
    assert encoder
    return cosines(encoder(outcome.pictures), encoder(source.pictures))


MEASURE = Measure(
    name="clip",
    label="CLIP similarity",
    meaning="cosine similarity of their CLIP image embeddings",
    direction=-1,
    unchanged=1.0,
    effect="more changed",
    values=clip_similarities,
    range=(-1, 1),
    encoder="clip",
)
