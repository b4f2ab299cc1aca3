"""Writes the pool and its captions from the published benchmark."""

from leavekout.base.job import job
from leavekout.customized.published import write_pool

with job(snakemake) as run:
    write_pool(run.input.unpacked, run.output.images, run.output.annotations)
