"""Writes the tables of the rule that runs it, from measurements of earlier jobs."""

import logging
from collections.abc import Callable

import pandas as pd

from leavekout.base.artifacts import load_csv, load_json, load_npy, load_table, save_csv, save_table
from leavekout.base.job import Run, job
from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import TOPIC
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.statistics.clusters import clusters, intraclass_table
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.drift import drift_table
from leavekout.leave_k_out.statistics.equivalents import equivalents_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.leave_k_out.statistics.forgetting import forgetting_table
from leavekout.leave_k_out.statistics.measurements import dictionary, tabulate
from leavekout.leave_k_out.statistics.power import power_table, variance_table
from leavekout.leave_k_out.statistics.published import published_table
from leavekout.leave_k_out.statistics.removals import removals_table
from leavekout.leave_k_out.statistics.repeatability import repeatability_table
from leavekout.leave_k_out.statistics.seeds import seeds_table
from leavekout.leave_k_out.statistics.spent import spent_table
from leavekout.leave_k_out.statistics.timesteps import timesteps_table
from leavekout.leave_k_out.statistics.tuning import with_choices


def tabulate_measurements(run: Run) -> None:
    """All measurements as one tidy table, its data dictionary, and the clusters of queries."""
    queries = load_table(run.input.queries)[["query", "prompt"]]
    queries = queries[queries["query"].isin(run.params.queries)]
    cluster_of = clusters(dict(queries.to_numpy().tolist()), run.params.topics)
    save_csv(run.output.clusters, queries.assign(cluster=queries["query"].map(cluster_of)))
    table = tabulate((load_table(path) for path in run.input.measured), cluster_of)
    save_table(run.output.measurements, table)
    measures, topics = map(measure, run.params.measures), TOPIC in set(table["method"])
    save_csv(run.output.dictionary, dictionary([*measures], topics=topics))


def estimate(run: Run) -> None:
    """Each method's mean and excess over random removal."""
    measurements = load_table(run.input.measurements)
    save_csv(run.output.table, estimates_table(measurements, looks=run.params.looks))


def compare(run: Run) -> None:
    """All pairs of methods, how alike clustered queries are, parts of the variance, and power."""
    measurements = load_table(run.input.measurements)
    comparisons = comparisons_table(measurements, looks=run.params.looks)
    save_csv(run.output.comparisons, comparisons)
    save_csv(run.output.intraclass, intraclass_table(measurements))
    save_csv(run.output.variance, variance_table(measurements))
    save_csv(run.output.power, power_table(measurements))


def split_by_timestep(run: Run) -> None:
    """The excess of ΔL by thirds of the timesteps."""
    cluster_of = dict(load_csv(run.input.clusters)[["query", "cluster"]].to_numpy().tolist())
    source = Outcome.load(run.input.source)
    table = timesteps_table(run.input.outcomes, source, cluster_of, stride=run.params.stride)
    save_csv(run.output.table, table)


def find_equivalents(run: Run) -> None:
    """How many random images have the effect of each method's K."""
    params = run.params
    table = equivalents_table(
        load_table(run.input.measurements), resamples=params.resamples, origin=params.origin
    )
    save_csv(run.output.table, table)


def choose_settings(run: Run) -> None:
    """The settings of methods on the tuning queries; the best of each method is marked."""
    params = run.params
    estimates = estimates_table(load_table(run.input.measurements))
    table = with_choices(
        estimates,
        params.settings,
        criterion=measure(params.criterion),
        together=params.together,
        measured=pd.concat(load_table(path) for path in run.input.measured),
    )
    save_csv(run.output.table, table)
    for method, setting in dict(table.loc[table["chosen"], ["tuned", "setting"]].values).items():
        logging.getLogger("leavekout").info("chosen for %s: %s", method, setting)


def tabulate_removals(run: Run) -> None:
    """Further removals, such as unions of several queries' top K."""
    tables = [load_table(path) for path in run.input]
    save_csv(run.output.table, removals_table(tables))


def tabulate_seeds(run: Run) -> None:
    """How well the effects of cells agree between two seeds of training."""
    again = [load_table(path) for path in run.input.again]
    save_csv(run.output.table, seeds_table(again, load_table(run.input.measurements)))


def tabulate_drift(run: Run) -> None:
    """How much the source model that is retrained here differs from the published one."""
    replica = [load_table(path) for path in run.input.replica]
    save_csv(run.output.table, drift_table(replica, load_table(run.input.measurements)))


def tabulate_forgetting(run: Run) -> None:
    """What else models forget when they forget a query."""
    save_csv(run.output.table, forgetting_table(load_table(path) for path in run.input))


def tabulate_repeatability(run: Run) -> None:
    """How well the scores of stochastic methods repeat."""
    # One file for each method and query, in the order of the two lists.
    names = [(method, query) for method in run.params.methods for query in run.params.queries]
    halves = ((*name, load_npy(path)) for name, path in zip(names, run.input, strict=True))
    save_csv(run.output.table, repeatability_table(halves, run.params.ks))


def tabulate_published(run: Run) -> None:
    """How well our scores agree with published ones."""
    halves = run.input.get("halves") or [None] * len(run.params.queries)
    files = zip(run.params.queries, run.input.ours, run.input.theirs, halves, strict=True)
    pairs = ((query, *(p and load_npy(p) for p in paths)) for query, *paths in files)
    save_csv(run.output.table, published_table(pairs, run.params.ks))


def tabulate_costs(run: Run) -> None:
    """What the scores of each method cost."""
    save_csv(run.output.table, spent_table(load_json(path) for path in run.input))


TABLES: tuple[Callable[[Run], None], ...] = (
    *(tabulate_measurements, estimate, compare, find_equivalents, choose_settings),
    split_by_timestep,
    *(tabulate_removals, tabulate_seeds, tabulate_drift, tabulate_forgetting),
    *(tabulate_repeatability, tabulate_published, tabulate_costs),
)

with job(snakemake) as run:
    {table.__name__: table for table in TABLES}[snakemake.rule](run)
