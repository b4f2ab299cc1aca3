"""Encodes the training images, and their flips, to latents."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.encoders.pretrained import load_vae, write_latents
from leavekout.runtime.artifacts import load_json, load_npy, save_checksum
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    vae = Path(snakemake.input.vae)
    write_latents(
        Path(snakemake.output.latents),
        load_vae(vae, device),
        load_npy(Path(snakemake.input.pixels), mmap=True),
        flips=snakemake.params.flips,
        batch=snakemake.resources.batch,
        device=device,
        identity=identity_of(
            dict(snakemake.params), load_json(Path(snakemake.input.pixels_checksum)), vae
        ),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    save_checksum(Path(snakemake.output.checksum), Path(snakemake.output.latents))
