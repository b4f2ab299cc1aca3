"""CLIP: cosine similarity of the two pictures' CLIP image embeddings (eq. 3 with CLIP)."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.leave_k_out.measures.measure import Encoder, Measure

if TYPE_CHECKING:
    from leavekout.contract.outcome import Outcome


def clip_similarities(
    outcome: "Outcome", source: "Outcome", encoder: Encoder | None = None
) -> np.ndarray:
    """Dot products [Q] of the pictures' embeddings, which have unit length."""
    import torch  # here: every workflow imports this module

    assert encoder
    after, before = (torch.from_numpy(encoder(o.pictures)).double() for o in (outcome, source))
    return np.array([float(a @ b) for a, b in zip(after, before, strict=True)])


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
