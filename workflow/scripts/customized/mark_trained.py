"""Marks the images that a customized model has seen: the pool, and its own exemplars."""

from typing import TYPE_CHECKING

from leavekout.customized.exemplars import exemplar_rows, pool_rows
from leavekout.runtime.artifacts import load_table, save_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    table = load_table(run.input.images)
    save_npy(run.output.trained, pool_rows(table) | exemplar_rows(table, run.wildcards.model))
