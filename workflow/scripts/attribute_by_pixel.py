"""Scores every training image by its pixels' cosine similarity to the query."""

import numpy as np

from leavekout.base.artifacts import load_image, load_npy
from leavekout.base.job import job
from leavekout.contract.scores import save_scores
from leavekout.methods.pixel.scoring import flattened, similarity_scores

with job(snakemake) as run:
    scores = similarity_scores(
        np.stack([load_image(path) for path in run.input.queries]),
        load_npy(run.input.pixels, mmap=True),
        flattened,
        flips=run.params.flips,
    )
    save_scores(run.output.scores, scores, "pixel")
