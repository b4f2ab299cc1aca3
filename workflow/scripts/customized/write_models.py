"""Writes the folders of customized models from the published benchmark."""

from leavekout.base.job import job
from leavekout.customized.published import read_models, write_models

with job(snakemake) as run:
    files = run.input
    models = read_models(files.tasks, files.lists)
    write_models(models, files.unpacked[0].parent, run.output.models)
