"""Writes the checksum of an existing data set."""

from pathlib import Path

from leavekout.base.artifacts import save_checksum
from leavekout.base.job import job

with job(snakemake) as run:
    files = run.params.get("files") or run.input
    save_checksum(run.output.checksum, *map(Path, files))
