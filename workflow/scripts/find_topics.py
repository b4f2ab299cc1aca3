"""Finds the training images on the topic of each query, from captions alone."""

from leavekout.base.artifacts import load_npy, load_table, save_npy
from leavekout.base.job import compute_job
from leavekout.data.table import texts_for
from leavekout.encoders.features import load_text_encoder
from leavekout.leave_k_out.topics import named_topic, nearest_topics

with compute_job(snakemake) as run:
    params = run.params
    queries = load_table(run.input.queries).set_index("query").loc[params.names]
    prompts = texts_for(queries, "prompt", "encoders").tolist()
    if params.topics:
        captions = texts_for(load_table(run.input.images), "captions", "encoders").tolist()
        named = zip(params.names, prompts, strict=True)
        found = [named_topic(query, prompt, captions, params.topics) for query, prompt in named]
    else:
        features = load_text_encoder(run.input.encoder, run.device)(prompts)
        near = nearest_topics(features, load_npy(run.input.features, mmap=True), params.nearest)
        found = list(near)
    for path, rows in zip(run.output.topics, found, strict=True):
        save_npy(path, rows)
