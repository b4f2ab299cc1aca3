"""Puts images into groups of like ones, for the oracle."""

from typing import TYPE_CHECKING

from leavekout.attribution.oracle import group_images
from leavekout.runtime.artifacts import load_npy, save_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    pixels = load_npy(run.input.pixels, mmap=True)
    save_npy(run.output.groups, group_images(pixels, run.params.groups))
