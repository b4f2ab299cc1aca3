"""Fetches one published encoder."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.download import fetch_model
from leavekout.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    fetch_model(**snakemake.params.model, target=Path(snakemake.output.folder))
