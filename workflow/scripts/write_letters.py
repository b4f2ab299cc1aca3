"""Draws printed letters in COCO's format."""

from typing import TYPE_CHECKING

from leavekout.data.letters import write_letters
from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    annotations = run.output.train, run.output.prompts
    write_letters(run.output.images, *annotations)
    save_checksum(run.output.checksum, *annotations)
