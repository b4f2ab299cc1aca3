"""Writes the table of the forgetting check."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.forgetting import forgetting_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    save_csv(run.output.table, forgetting_table(load_table(path) for path in run.input))
