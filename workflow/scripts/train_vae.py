"""Trains the autoencoder."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.encoders import VaeTraining
from leavekout.customized.exemplars import pool_rows
from leavekout.encoders.train_vae import train_vae
from leavekout.runtime.artifacts import atomic_folder, load_npy, load_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    table = load_table(Path(snakemake.input.images))
    pixels = load_npy(Path(snakemake.input.pixels))[pool_rows(table)]
    vae = train_vae(pixels, VaeTraining(**snakemake.params.training), device)
    with atomic_folder(Path(snakemake.output.vae)) as folder:
        vae.save_pretrained(folder)
