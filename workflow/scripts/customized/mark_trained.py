"""Marks the images that a customized model has seen: the pool, and its own exemplars."""

from leavekout.base.artifacts import load_table, save_npy
from leavekout.base.job import job
from leavekout.customized.exemplars import exemplar_rows, pool_rows

with job(snakemake) as run:
    table = load_table(run.input.images)
    save_npy(run.output.trained, pool_rows(table) | exemplar_rows(table, run.wildcards.model))
