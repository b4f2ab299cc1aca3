"""Asks of every score file whether it foretells random removals, and how many ties it has."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.attribution.scores import random_set, read_scores, tied_at
from leavekout.runtime.artifacts import load_table, save_csv
from leavekout.runtime.job import job
from leavekout.statistics.arms import arms_of
from leavekout.statistics.lds import foretold, lds_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    params = snakemake.params
    arms = arms_of(load_table(Path(snakemake.input.measurements)), "delta_loss")
    sets = {
        k: [
            random_set(params.images, k, number=number, seed=params.set_seed)
            for number in arms.sets[k].tolist()
        ]
        for k in params.ks
        if k in arms.sets
    }
    predictions: dict[tuple[str, int], list] = {}
    ties = []
    # In the order of the arms' queries, which is that of their names.
    for path in sorted(map(Path, snakemake.input.scores), key=lambda path: path.stem):
        method = path.parent.name
        scores = read_scores(path, images=params.images, method=method)
        for k, rows in sets.items():
            predictions.setdefault((method, k), []).append(foretold(scores, rows))
        ties += [
            {"method": method, "query": path.stem, "k": k, "tied": tied_at(scores, k)}
            for k in params.methods_ks
        ]
    save_csv(Path(snakemake.output.lds), lds_table(arms, predictions, resamples=params.resamples))
    save_csv(Path(snakemake.output.ties), pd.DataFrame(ties))
