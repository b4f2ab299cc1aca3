"""Writes the table of further removals, such as unions of several queries' top K."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.removals import removals_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    tables = [load_table(path) for path in run.input]
    save_csv(run.output.table, removals_table(tables, resamples=run.params.resamples))
