"""Encodes the training images, and their flips, to latents."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy, save_checksum
from leavekout.encoders import load_vae, write_latents
from leavekout.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    write_latents(
        Path(snakemake.output.latents),
        load_vae(Path(snakemake.input.vae), device),
        load_npy(Path(snakemake.input.pixels), mmap=True),
        flips=snakemake.params.flips,
        batch=snakemake.resources.batch,
        device=device,
    )
    save_checksum(Path(snakemake.output.checksum), Path(snakemake.output.latents))
