"""Writes all measurements as one tidy table, and its data dictionary."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import load_json, load_npy, save_csv, save_table
from leavekout.runtime.job import job
from leavekout.statistics.measurements import dictionary, tabulate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    losses = load_npy(Path(snakemake.input.losses))
    table = tabulate(
        (
            (path, load_json(Path(path)))
            for path in [*snakemake.input.methods, *snakemake.input.controls]
        ),
        snakemake.params.queries,
        source_losses=dict(zip(snakemake.params.all_queries, losses, strict=True)),
        source_seed=snakemake.params.source_seed,
    )
    save_table(Path(snakemake.output.measurements), table)
    save_csv(Path(snakemake.output.dictionary), dictionary())
