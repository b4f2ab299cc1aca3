"""Puts images into groups of like ones, for the oracle."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.oracle import group_images
from leavekout.runtime.artifacts import load_npy, save_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    pixels = load_npy(Path(snakemake.input.pixels), mmap=True)
    save_npy(Path(snakemake.output.groups), group_images(pixels, snakemake.params.groups))
