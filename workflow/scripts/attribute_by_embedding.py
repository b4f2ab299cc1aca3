"""Scores every training image by its features' cosine similarity to each query's."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.scores import save_scores
from leavekout.attribution.similarity import embedding_scores
from leavekout.customized.tokens import without_token
from leavekout.encoders.features import load_image_encoder, load_text_encoder
from leavekout.runtime.artifacts import load_image, load_npy, load_table
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import load_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    folder = Path(snakemake.input.encoder)
    if snakemake.params.features == "text":
        table = load_table(Path(snakemake.input.queries))
        prompts = table["prompt"].map(without_token) if "model" in table else table["prompt"]
        queries = load_text_encoder(folder, device)(prompts.tolist())
    else:
        pictures = np.stack([load_image(Path(path)) for path in snakemake.input.pictures])
        queries = load_image_encoder(folder, device)(pictures)
    mapper = snakemake.input.get("mapper")
    scores = embedding_scores(
        queries,
        load_npy(Path(snakemake.input.features), mmap=True),
        mapper=load_tensors(Path(mapper))[0] if mapper else None,
        # Captions of an image describe it together; of an image and its flip the better one counts.
        over="mean" if snakemake.params.features == "text" else "max",
    )
    save_scores(snakemake.output.scores, scores, snakemake.wildcards.method)
