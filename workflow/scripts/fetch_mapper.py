"""Fetches an archive with learned linear layers."""

from leavekout.base.job import job
from leavekout.data.download import fetch_file

with job(snakemake) as run:
    fetch_file(run.params.url, run.params.sha256, run.output.archive)
