"""Tabulates how far the source model, trained again here, differs from the published one."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.drift import drift_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    replica = [load_table(path) for path in run.input.replica]
    save_csv(run.output[0], drift_table(replica, load_table(run.input.measurements)))
