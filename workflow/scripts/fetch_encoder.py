"""Fetches one published encoder."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.hub import fetch_model
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    fetch_model(
        **snakemake.params.model,
        target=Path(snakemake.output.folder),
        endpoint=snakemake.resources.endpoint or None,
    )
