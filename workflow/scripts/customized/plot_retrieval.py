"""Plots how well methods find the exemplars of object and of style models."""

from typing import TYPE_CHECKING

import pandas as pd

from leavekout.customized.figure import plot_retrieval
from leavekout.report.figures.style import save
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    figure = plot_retrieval(pd.read_csv(run.input.summary), methods=run.params.methods)
    save(figure, list(run.output))
