"""Writes scikit-learn's digits in COCO's format."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.digits import write_digits
from leavekout.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake.log):
    write_digits(
        images=Path(snakemake.output.images),
        train=Path(snakemake.output.train),
        prompts=Path(snakemake.output.prompts),
    )
