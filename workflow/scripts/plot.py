"""Plots one figure of the tables: params.figure says which."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from leavekout.customized.figure import plot_retrieval
from leavekout.report.figures.agreement import plot_agreement
from leavekout.report.figures.equivalents import plot_equivalents
from leavekout.report.figures.measures import plot_measures
from leavekout.report.figures.ranking import plot_ranking
from leavekout.report.figures.style import save
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PLOTS: dict[str, Callable[..., Figure]] = {
    "measures": plot_measures,
    "ranking": plot_ranking,
    "equivalents": plot_equivalents,
    "agreement": plot_agreement,
    "retrieval": plot_retrieval,
}

with job(snakemake):
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    figure = PLOTS[snakemake.params.figure](**tables, methods=snakemake.params.methods)
    save(figure, [Path(path) for path in snakemake.output])
