"""Puts images into groups of like ones, for the oracle."""

from leavekout.base.artifacts import load_npy, save_npy
from leavekout.base.job import job
from leavekout.leave_k_out.oracle import group_images

with job(snakemake) as run:
    pixels = load_npy(run.input.pixels, mmap=True)
    save_npy(run.output.groups, group_images(pixels, run.params.groups))
