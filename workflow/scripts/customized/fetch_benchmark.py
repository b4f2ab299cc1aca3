"""Fetches an archive of the published benchmark, and unpacks what its models need."""

import shutil

from leavekout.base.job import job
from leavekout.customized.published import PARTS, read_models, unpack_published
from leavekout.encoders.hub import fetch_files

with job(snakemake) as run:
    archive, params, target = run.wildcards.archive, run.params, run.output.folder
    downloads = target.with_name(f".{archive}")  # of a killed job, they are used again
    where = params.repo, params.revision, PARTS.format(archive)
    parts = fetch_files(*where, downloads, endpoint=run.resources.endpoint or None)
    models = read_models(run.input.tasks, run.input.lists)
    unpack_published(archive, parts, models, target, params.images)
    shutil.rmtree(downloads, ignore_errors=True)
