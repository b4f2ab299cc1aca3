"""Trains the autoencoder."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy
from leavekout.job import compute_job
from leavekout.schema import VaeTraining
from leavekout.train_vae import train_vae

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake.log, snakemake.threads) as device:
    pixels = load_npy(Path(snakemake.input.pixels))
    vae = train_vae(pixels, VaeTraining(**snakemake.params.training), device)
    vae.save_pretrained(snakemake.output.vae)
