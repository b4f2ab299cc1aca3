"""Writes all measurements as one tidy table, and its data dictionary."""

from typing import TYPE_CHECKING

import pandas as pd

from leavekout.measures.registry import measure
from leavekout.runtime.artifacts import load_table, save_csv, save_table
from leavekout.runtime.job import job
from leavekout.statistics.measurements import dictionary, tabulate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    clusters = pd.read_csv(run.input.clusters)
    cluster_of = dict(zip(clusters["query"], clusters["cluster"], strict=True))
    table = tabulate((load_table(path) for path in run.input.measured), cluster_of)
    save_table(run.output.measurements, table)
    save_csv(run.output.dictionary, dictionary(measure(name) for name in run.params.measures))
