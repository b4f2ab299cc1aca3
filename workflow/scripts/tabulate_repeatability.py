"""Writes how well the scores of methods that draw noise repeat."""

from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_npy, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.repeatability import repeatability_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    # Of each method a file for each query, in the order of the two lists.
    names = [(method, query) for method in run.params.methods for query in run.params.queries]
    halves = ((*name, load_npy(path)) for name, path in zip(names, run.input, strict=True))
    save_csv(run.output.table, repeatability_table(halves, run.params.ks))
