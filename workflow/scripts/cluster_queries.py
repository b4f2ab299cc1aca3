"""Finds queries that resemble each other: those for which a method removed the same images."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leavekout.queries.outcome import Outcome
from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.clusters import clusters, common_clusters

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    table = load_table(run.input.queries).set_index("query")
    prompts = table.loc[run.params.queries, "prompt"].to_dict()
    removed: dict[tuple[str, int], dict[str, np.ndarray]] = defaultdict(dict)
    for path in run.input.outcomes:
        about = (outcome := Outcome.load(path)).about
        removed[about["method"], about["k"]][about["targets"][0]] = outcome.removed
    images = run.params.images
    found = {cell: clusters(sets, prompts, images=images) for cell, sets in removed.items()}
    # What is said of controls must not change when a method joins.
    own = [found[method, k] for method, k in found if method not in run.params.joined]
    common = common_clusters(own or [clusters({}, prompts, images=images)])
    rows = [
        (method, k, query, cluster)
        for (method, k), of_cell in [*sorted(found.items()), ((None, None), common)]
        for query, cluster in of_cell.items()
    ]
    save_csv(run.output[0], pd.DataFrame(rows, columns=["method", "k", "query", "cluster"]))
