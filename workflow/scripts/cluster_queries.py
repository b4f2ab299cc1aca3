"""Finds queries that resemble each other: those for which methods removed the same images."""

from typing import TYPE_CHECKING

from leavekout.queries.outcome import Outcome
from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.clusters import clusters

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    table = load_table(run.input.queries)[["query", "prompt"]]
    table = table[table["query"].isin(run.params.queries)]
    removed: dict[str, list] = {name: [] for name in table["query"]}
    # They come by method, query and K, so each query has its methods in the same order.
    for path in run.input.outcomes:
        outcome = Outcome.load(path)
        # What is said of published methods must not change when another joins.
        if outcome.about["method"] not in run.params.joined:
            removed[outcome.about["targets"][0]].append(outcome.removed)
    prompts = dict(zip(table["query"], table["prompt"], strict=True))
    found = clusters(removed, prompts, images=run.params.images)
    save_csv(run.output[0], table.assign(cluster=table["query"].map(found)))
