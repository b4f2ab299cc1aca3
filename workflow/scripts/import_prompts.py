"""Reads published prompts, and names the queries that take them."""

from pathlib import Path

from leavekout.base.artifacts import save_table
from leavekout.base.job import job
from leavekout.queries.published import published_table

with job(snakemake) as run:
    params = run.params
    groups = params.test, params.tuning, params.teacher
    save_table(run.output.table, published_table(Path(params.file), *groups, params.seed))
