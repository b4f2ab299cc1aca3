"""Finds queries that resemble each other: those whose nearest training images are the same."""

import numpy as np

from leavekout.base.artifacts import load_image, load_npy, load_table, save_csv
from leavekout.base.job import compute_job
from leavekout.encoders.features import load_image_encoder
from leavekout.encoders.similarity import nearest
from leavekout.leave_k_out.statistics.clusters import clusters

with compute_job(snakemake) as run:
    params = run.params
    table = load_table(run.input.queries)[["query", "prompt"]]
    table = table[table["query"].isin(params.queries)]
    found = params.published  # of a study that is joined, as it found them
    if found is None:
        pictures = np.stack([load_image(path) for path in run.input.pictures])
        queries = load_image_encoder(run.input.encoder, run.device)(pictures)
        near = nearest(queries, load_npy(run.input.features)[:, 0], params.nearest)
        prompts = dict(zip(table["query"], table["prompt"], strict=True))
        of_query = dict(zip(params.queries, near, strict=True))
        found = clusters(of_query, prompts, images=params.images)
    save_csv(run.output[0], table.assign(cluster=table["query"].map(dict(found))))
