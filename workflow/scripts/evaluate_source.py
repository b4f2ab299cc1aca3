"""Writes the source model's own outcome: its losses on queries, and their pictures as they are."""

import numpy as np

from leavekout.base.job import compute_job
from leavekout.config.experiment import Model
from leavekout.contract.outcome import Outcome
from leavekout.leave_k_out.config import Evaluation
from leavekout.leave_k_out.evaluation import losses_on_queries
from leavekout.models.denoiser import load_denoiser
from leavekout.queries.loading import Queries, load_pictures

with compute_job(snakemake) as run:
    model, of = Model(**run.params.model), run.params.of
    queries = Queries.load(run.input, run.params.names, run.device, of=of)
    losses = losses_on_queries(
        load_denoiser(model, run.input.weights, device=run.device),
        model,
        Evaluation(**run.params.evaluation),
        queries,
        batch=run.resources.batch,
    )
    pictures = run.input.pictures
    Outcome(
        {"policy": "source"},
        queries.names,
        losses,
        queries.latents.cpu().numpy(),
        load_pictures(pictures if pictures.is_dir() else pictures.parent, queries.names),
        np.empty(0, np.int64),
    ).save(run.output.outcome)
