"""Finds how many random images would have the effect of a method's."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.equivalents import equivalents_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    measurements = load_table(run.input.measurements)
    table = equivalents_table(
        measurements, resamples=run.params.resamples, origin=run.params.origin
    )
    save_csv(run.output[0], table)
