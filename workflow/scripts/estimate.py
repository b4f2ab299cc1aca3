"""Estimates each method's means, and its excess over random removal, with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.estimates import estimates_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    measurements = load_table(Path(snakemake.input.measurements))
    table = estimates_table(measurements, resamples=snakemake.params.resamples)
    save_csv(Path(snakemake.output[0]), table)
