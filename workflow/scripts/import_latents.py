"""Imports published latents, after a check that they are of the training images."""

from pathlib import Path

from leavekout.base.artifacts import load_json, load_npy, save_checksum
from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.encoders.published import import_latents
from leavekout.encoders.vae import encode_images, load_vae

with compute_job(snakemake) as run:
    file = Path(run.params.file)
    load_npy(file, mmap=True)  # stops with an error if the file is missing
    vae = load_vae(run.input.vae, run.device)
    import_latents(
        file,
        run.output.latents,
        lambda pixels: encode_images(vae, pixels, run.device).cpu().numpy(),
        load_npy(run.input.pixels, mmap=True),
        flips=run.params.flips,
        identity=identity_of(
            dict(run.params), file.stat().st_mtime_ns, load_json(run.input.pixels_checksum)
        ),
        save_seconds=run.resources.checkpoint_seconds,
    )
    save_checksum(run.output.checksum, run.output.latents)
