"""Writes scikit-learn's digits in COCO's format."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.data.digits import write_digits
from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    annotations = Path(snakemake.output.train), Path(snakemake.output.prompts)
    write_digits(Path(snakemake.output.images), *annotations)
    save_checksum(Path(snakemake.output.checksum), *annotations)
