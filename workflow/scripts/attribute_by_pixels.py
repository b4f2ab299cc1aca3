"""Scores every training image by its pixels' cosine similarity to the query."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.scores import save_scores
from leavekout.attribution.similarity import flattened, similarity_scores
from leavekout.runtime.artifacts import load_image, load_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    scores = similarity_scores(
        np.stack([load_image(Path(path)) for path in snakemake.input.queries]),
        load_npy(Path(snakemake.input.pixels), mmap=True),
        flattened,
        flips=snakemake.params.flips,
    )
    save_scores(snakemake.output.scores, scores, "pixel")
