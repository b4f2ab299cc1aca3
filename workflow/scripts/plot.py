"""Plots one figure of the tables that its rule names."""

from collections.abc import Callable

from matplotlib.figure import Figure

from leavekout.base.artifacts import load_csv
from leavekout.base.job import job
from leavekout.leave_k_out.report.figures.agreement import plot_agreement
from leavekout.leave_k_out.report.figures.costs import plot_costs
from leavekout.leave_k_out.report.figures.equivalents import plot_equivalents
from leavekout.leave_k_out.report.figures.measures import plot_measures
from leavekout.leave_k_out.report.figures.ranking import plot_ranking
from leavekout.leave_k_out.report.figures.repeatability import plot_repeatability
from leavekout.leave_k_out.report.figures.timesteps import plot_timesteps
from leavekout.report.style import save

PLOTS: dict[str, Callable[..., Figure]] = {
    "measures": plot_measures,
    "ranking": plot_ranking,
    "equivalents": plot_equivalents,
    "timesteps": plot_timesteps,
    "agreement": plot_agreement,
    "repeatability": plot_repeatability,
    "costs": plot_costs,
}

with job(snakemake) as run:
    tables = {path.stem: load_csv(path) for path in run.input}
    save(PLOTS[run.wildcards.figure](**tables, methods=run.params.methods), list(run.output))
