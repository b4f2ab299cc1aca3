"""Scores every training image by its pixels' cosine similarity to the query."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.scores import save_scores
from leavekout.attribution.similarity import flattened, similarity_scores
from leavekout.runtime.artifacts import load_image, load_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    scores = similarity_scores(
        np.stack([load_image(path) for path in run.input.queries]),
        load_npy(run.input.pixels, mmap=True),
        flattened,
        flips=run.params.flips,
    )
    save_scores(run.output.scores, scores, "pixel")
