"""Writes the tables from all evaluations."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_json, save_csv
from leavekout.job import job
from leavekout.tables import paired_table, per_query_table, summary_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    evaluations = [
        load_json(Path(path)) for path in [*snakemake.input.methods, *snakemake.input.controls]
    ]
    per_query = per_query_table(evaluations, snakemake.params.queries)
    tables = {
        snakemake.output.per_query: per_query,
        snakemake.output.summary: summary_table(per_query),
        snakemake.output.paired: paired_table(per_query, resamples=snakemake.params.resamples),
    }
    for path, table in tables.items():
        save_csv(Path(path), table)
