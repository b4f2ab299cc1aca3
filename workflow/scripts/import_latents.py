"""Imports published latents, after a check that they are of the training images."""

from pathlib import Path

import numpy as np

from leavekout.base.artifacts import load_json, load_npy, load_table, save_checksum
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.data.file_order import image_places
from leavekout.encoders.published import import_latents
from leavekout.encoders.vae import encode_images, load_vae

with compute_job(snakemake) as run:
    file, annotations = Path(run.params.file), run.input.get("annotations")
    load_npy(file, mmap=True)  # stops with an error if the file is missing
    pixels = load_npy(run.input.pixels, mmap=True)
    table = load_table(run.input.images)
    vae = load_vae(run.input.vae, run.device)
    import_latents(
        file,
        run.output.latents,
        lambda pixels: encode_images(vae, pixels, run.device).cpu().numpy(),
        pixels,
        image_places(annotations, table) if annotations else np.arange(len(pixels)),
        flips=run.params.flips,
        identity=identity_of(
            dict(run.params), file.stat().st_mtime_ns, load_json(run.input.pixels_checksum)
        ),
        save_seconds=run.resources.checkpoint_seconds,
    )
    save_checksum(run.output.checksum, run.output.latents)
