"""Scores every training image by its features' cosine similarity to each query's."""

import numpy as np

from leavekout.base.artifacts import load_image, load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.base.tensors import load_tensors
from leavekout.contract.scores import save_scores
from leavekout.data.table import texts_for
from leavekout.encoders.features import load_image_encoder, load_text_encoder
from leavekout.methods.embeddings.scoring import embedding_scores

with compute_job(snakemake) as run:
    folder = run.input.encoder
    if run.params.features == "text":
        prompts = texts_for(load_table(run.input.queries), "prompt", "encoders")
        queries = load_text_encoder(folder, run.device)(prompts.tolist())
    else:
        pictures = np.stack([load_image(path) for path in run.input.pictures])
        queries = load_image_encoder(folder, run.device)(pictures)
    mapper = run.input.get("mapper")
    scores = embedding_scores(
        queries,
        load_npy(run.input.features, mmap=True),
        mapper=load_tensors(mapper)[0] if mapper else None,
        # An image's captions describe it together; of its two flips the more similar one counts.
        over="mean" if run.params.features == "text" else "max",
    )
    save_scores(run.output.scores, scores, run.wildcards.method)
