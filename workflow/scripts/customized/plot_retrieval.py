"""Plots how well methods find the exemplars of object and of style models."""

from leavekout.base.artifacts import load_csv
from leavekout.base.job import job
from leavekout.customized.figure import plot_retrieval
from leavekout.report.style import save

with job(snakemake) as run:
    figure = plot_retrieval(load_csv(run.input.summary), methods=run.params.methods)
    save(figure, list(run.output))
