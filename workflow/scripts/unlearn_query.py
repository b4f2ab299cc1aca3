"""Unlearns one query, and writes the model's outcome, for the forgetting check."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.unlearning import unlearned_denoiser
from leavekout.config.experiment import Model, Sampling
from leavekout.config.leave_k_out import Evaluation
from leavekout.config.methods import Unlearning
from leavekout.encoders.vae import load_vae
from leavekout.queries.evaluation import evaluate
from leavekout.queries.loading import load_sets
from leavekout.removal import Removal
from leavekout.runtime.artifacts import load_npy
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    model, removal = Model(**run.params.model), Removal.from_dict(run.params.about)
    denoiser = unlearned_denoiser(
        run.input,
        model,
        Unlearning(**run.params.unlearning),
        query=removal.targets[0],
        box=run.params.box,
        images=run.params.images,
        batch=run.resources.gradient_batch,
        device=run.device,
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
