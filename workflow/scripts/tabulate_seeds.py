"""Tabulates how far the effects of cells agree that were trained from two seeds."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.seeds import seeds_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    again = [load_table(path) for path in run.input.again]
    save_csv(run.output[0], seeds_table(again, load_table(run.input.measurements)))
