"""Fetches one published encoder."""

from typing import TYPE_CHECKING

from leavekout.runtime.hub import fetch_model
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    fetch_model(
        **run.params.model,
        target=run.output.folder,
        endpoint=run.resources.endpoint or None,
    )
