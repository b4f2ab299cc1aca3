"""Finds how many random images would have the effect of a method's."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.equivalents import equivalents_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    measurements = load_table(Path(snakemake.input.measurements))
    table = equivalents_table(
        measurements, resamples=snakemake.params.resamples, origin=snakemake.params.origin
    )
    save_csv(Path(snakemake.output[0]), table)
