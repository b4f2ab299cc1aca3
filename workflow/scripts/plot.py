"""Plots one figure of the tables: params.figure says which."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from leavekout.report.figures.agreement import plot_agreement
from leavekout.report.figures.costs import plot_costs
from leavekout.report.figures.equivalents import plot_equivalents
from leavekout.report.figures.measures import plot_measures
from leavekout.report.figures.ranking import plot_ranking
from leavekout.report.figures.repeatability import plot_repeatability
from leavekout.report.figures.style import save
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PLOTS: dict[str, Callable[..., Figure]] = {
    "measures": plot_measures,
    "ranking": plot_ranking,
    "equivalents": plot_equivalents,
    "agreement": plot_agreement,
    "repeatability": plot_repeatability,
    "costs": plot_costs,
}

with job(snakemake) as run:
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    figure = PLOTS[run.params.figure](**tables, methods=run.params.methods)
    save(figure, list(run.output))
