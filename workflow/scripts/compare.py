"""Compares all pairs of methods, splits the variance, says what a study of a size can show."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.comparisons import comparisons_table
from leavekout.statistics.power import power_table, variance_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    measurements = load_table(run.input.measurements)
    comparisons = comparisons_table(measurements, resamples=run.params.resamples)
    save_csv(run.output.comparisons, comparisons)
    save_csv(run.output.variance, variance_table(measurements))
    save_csv(run.output.power, power_table(measurements))
