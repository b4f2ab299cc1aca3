"""Compares all pairs of methods, splits the variance, says what a study of a size can show."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.comparisons import comparisons_table
from leavekout.statistics.power import power_table, variance_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    measurements = load_table(Path(snakemake.input.measurements))
    comparisons = comparisons_table(measurements, resamples=snakemake.params.resamples)
    save_csv(Path(snakemake.output.comparisons), comparisons)
    save_csv(Path(snakemake.output.variance), variance_table(measurements))
    save_csv(Path(snakemake.output.power), power_table(measurements))
