"""Puts images into groups of like ones, for the oracle."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy, save_npy
from leavekout.job import job
from leavekout.oracle import group_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    pixels = load_npy(Path(snakemake.input.pixels), mmap=True)
    save_npy(Path(snakemake.output.groups), group_images(pixels, snakemake.params.groups))
