"""Writes the table of unions: what removing the top K of several queries together does."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.unions import unions_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    tables = [load_table(path) for path in run.input]
    save_csv(run.output.table, unions_table(tables, resamples=run.params.resamples))
