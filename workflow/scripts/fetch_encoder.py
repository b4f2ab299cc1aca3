"""Fetches one published encoder."""

from leavekout.base.job import job
from leavekout.encoders.hub import fetch_model

with job(snakemake) as run:
    endpoint = run.resources.endpoint or None
    fetch_model(**run.params.model, target=run.output.folder, endpoint=endpoint)
