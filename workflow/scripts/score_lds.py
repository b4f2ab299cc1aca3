"""Computes the linear datamodeling score of each method, and counts ties at its K."""

import pandas as pd

from leavekout.base.artifacts import load_table, save_csv
from leavekout.base.job import job
from leavekout.contract.scores import read_scores, tied_at
from leavekout.leave_k_out.removals import random_set
from leavekout.leave_k_out.statistics.arms import arms_of_measures
from leavekout.leave_k_out.statistics.lds import lds_table, summed_scores
from leavekout.leave_k_out.statistics.snr import beyond_noise

with job(snakemake) as run:
    params = run.params
    measure, arms = next(arms_of_measures(load_table(run.input.measurements)))
    sets = {
        k: [
            random_set(params.images, k, number=number, seed=params.set_seed)
            for number in arms.sets[k].tolist()
        ]
        for k in params.ks
        if k in arms.sets
    }
    predictions: dict[tuple[str, int], list] = {}
    clear: dict[tuple[str, int], list] = {}
    ties = []
    # Sorted by query, as the arms are.
    for path in sorted(run.input.scores, key=lambda path: path.stem):
        method = path.parent.name
        scores = read_scores(path, images=params.images, method=method)
        for found, counted in ((predictions, scores), (clear, beyond_noise(scores))):
            for k, rows in sets.items():
                predicted = measure.direction * summed_scores(counted, rows)
                found.setdefault((method, k), []).append(predicted)
        ties += [
            {"method": method, "query": path.stem, "k": k, "tied": tied_at(scores, k)}
            for k in params.methods_ks
        ]
    save_csv(run.output.lds, lds_table(arms, predictions, clear, resamples=params.resamples))
    save_csv(run.output.ties, pd.DataFrame(ties))
