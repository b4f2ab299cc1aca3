"""Estimates each method's means, and its excess over random removal, with intervals."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.estimates import estimates_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    measurements = load_table(run.input.measurements)
    table = estimates_table(measurements, resamples=run.params.resamples)
    save_csv(run.output[0], table)
