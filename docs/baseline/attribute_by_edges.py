"""Scores every training image by the cosine similarity of its edges to the query's."""

import numpy as np

from leavekout.base.artifacts import load_image, load_npy
from leavekout.base.job import job
from leavekout.contract.scores import save_scores
from leavekout.methods.pixel.scoring import similarity_scores


def edges(images: np.ndarray) -> np.ndarray:
    """Differences of neighbouring pixels: uint8 [B, H, W, 3] → [B, D]."""
    grey = images.mean(axis=3)
    across, down = np.diff(grey, axis=2), np.diff(grey, axis=1)
    return np.concatenate([d.reshape(len(images), -1) for d in (across, down)], axis=1)


with job(snakemake) as run:
    scores = similarity_scores(
        np.stack([load_image(path) for path in run.input.queries]),
        load_npy(run.input.pixels, mmap=True),
        edges,
        flips=run.params.flips,
    )
    save_scores(run.output.scores, scores, "edges")
