"""Writes the table of the forgetting check."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_json, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.forgetting import forgetting_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    rows = [
        {"method": method, "query": query, "model": model, "measured": load_json(Path(path))}
        for paths in (snakemake.input.queries, snakemake.input.related)
        for case, path in zip(snakemake.params.cases, paths, strict=True)
        for method, query, model in [case.split("/")]
    ]
    save_csv(Path(snakemake.output.table), forgetting_table(rows))
