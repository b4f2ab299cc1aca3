"""Computes an encoder's features of every image or caption, once for all queries."""

from leavekout.base.artifacts import load_json, load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.data.table import texts_for
from leavekout.encoders.features import (
    load_image_encoder,
    load_text_encoder,
    write_image_features,
    write_text_features,
)

with compute_job(snakemake) as run:
    folder, path = run.input.encoder, run.output.features
    batch = run.resources.batch
    if run.wildcards.of == "text":
        captions = texts_for(load_table(run.input.images), "captions", "encoders").tolist()
        write_text_features(path, load_text_encoder(folder, run.device), captions, batch=batch)
    else:
        pixels = load_npy(run.input.pixels, mmap=True)
        encoder = load_image_encoder(folder, run.device)
        write_image_features(
            path,
            encoder,
            pixels,
            flips=run.params.flips,
            batch=batch,
            identity=identity_of(dict(run.params), load_json(run.input.pixels_checksum), folder),
            save_seconds=run.resources.checkpoint_seconds,
        )
