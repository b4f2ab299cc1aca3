"""Unlearns one query, and writes the model's outcome, for the forgetting check."""

import numpy as np

from leavekout.base.artifacts import load_npy
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model, Sampling
from leavekout.contract.removal import Removal
from leavekout.encoders.vae import load_vae
from leavekout.leave_k_out.config import Evaluation
from leavekout.leave_k_out.evaluation import evaluate
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.methods.unlearning.steps import unlearned_denoiser
from leavekout.queries.loading import Queries, load_sets

with compute_job(snakemake) as run:
    model, removal = Model(**run.params.model), Removal.from_dict(run.params.about)
    denoiser = unlearned_denoiser(
        run.input,
        model,
        Unlearning(**run.params.unlearning),
        Queries.load(run.input, removal.targets[:1], run.device),
        box=run.params.box,
        images=run.params.images,
        batch=run.resources.gradient_batch,
    )
    evaluate(
        denoiser,
        load_vae(run.input.vae, run.device),
        load_sets(run.input, removal.targets, removal.others, removal.related, run.device),
        load_npy(run.input.null_text),
        model,
        Evaluation(**run.params.evaluation),
        Sampling(**run.params.sampling),
        about=removal.as_dict(),
        removed=np.empty(0, np.int64),
        batch=run.resources.batch,
    ).save(run.output.outcome)
