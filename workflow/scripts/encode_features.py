"""Computes an encoder's features of every image or caption, once for all queries."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.customized.tokens import captions_without_tokens
from leavekout.encoders.features import (
    load_image_encoder,
    load_text_encoder,
    write_image_features,
    write_text_features,
)
from leavekout.runtime.artifacts import load_json, load_npy, load_table
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    folder, path = Path(snakemake.input.encoder), Path(snakemake.output.features)
    batch = snakemake.resources.batch
    if snakemake.wildcards.of == "text":
        captions = captions_without_tokens(load_table(Path(snakemake.input.images)))
        write_text_features(path, load_text_encoder(folder, device), captions, batch=batch)
    else:
        pixels = load_npy(Path(snakemake.input.pixels), mmap=True)
        encoder = load_image_encoder(folder, device)
        write_image_features(
            path,
            encoder,
            pixels,
            flips=snakemake.params.flips,
            batch=batch,
            identity=identity_of(
                dict(snakemake.params), load_json(Path(snakemake.input.pixels_checksum)), folder
            ),
            save_seconds=snakemake.resources.checkpoint_seconds,
        )
