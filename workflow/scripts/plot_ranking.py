"""Plots each method against random removal."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.figures import plot_ranking, save
from leavekout.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    figure = plot_ranking(pd.read_csv(snakemake.input.paired), snakemake.params.methods)
    for path in snakemake.output:
        save(figure, Path(path))
