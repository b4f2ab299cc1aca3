"""Scores every training image by the loss change of the model trained without its group."""

import numpy as np

from leavekout.base.artifacts import load_npy
from leavekout.base.job import job
from leavekout.contract.outcome import Outcome
from leavekout.contract.scores import save_scores
from leavekout.leave_k_out.measures.delta_loss import loss_changes
from leavekout.leave_k_out.oracle import oracle_scores

with job(snakemake) as run:
    names = run.params.names
    source = Outcome.load(run.input.source).select(names)
    without = [Outcome.load(path).select(names) for path in run.input.outcomes]
    changes = np.stack([loss_changes(outcome, source) for outcome in without])  # [groups, Q]
    scores = oracle_scores(load_npy(run.input.groups), changes)
    save_scores(run.output.scores, scores, "oracle")
