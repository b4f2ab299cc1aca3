"""Fetches a published file, or members of an archive."""

from leavekout.base.job import job
from leavekout.config.download import Download
from leavekout.encoders.fetching import fetch_published

with job(snakemake) as run:
    fetch_published(
        Download(**run.params.download),
        run.params.members,
        run.output.folder,
        endpoint=run.resources.endpoint or None,
    )
