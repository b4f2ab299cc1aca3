"""Writes the cost of all methods as one table."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_json, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.spent import spent_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    save_csv(run.output[0], spent_table(load_json(path) for path in run.input))
