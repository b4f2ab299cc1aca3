"""Scores every training image by the loss change of the model trained without its group."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.oracle import oracle_scores
from leavekout.attribution.scores import save_scores
from leavekout.measures.delta_loss import loss_changes
from leavekout.queries.outcome import Outcome
from leavekout.runtime.artifacts import load_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    names = run.params.names
    source = Outcome.load(run.input.source).of(names)
    without = [Outcome.load(path).of(names) for path in run.input.outcomes]
    changes = np.stack([loss_changes(outcome, source) for outcome in without])  # [groups, Q]
    scores = oracle_scores(load_npy(run.input.groups), changes)
    save_scores(run.output.scores, scores, "oracle")
