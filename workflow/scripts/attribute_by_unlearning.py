"""Unlearns one query and scores every training image by its loss change."""

from typing import TYPE_CHECKING

from leavekout.attribution.scores import save_scores
from leavekout.attribution.sweep import sweep_rows
from leavekout.attribution.unlearning import unlearned_denoiser, unlearning_scores
from leavekout.config.experiment import LossSweep, Model
from leavekout.config.methods import Unlearning
from leavekout.data.encoded import EncodedData
from leavekout.models.process import build_process
from leavekout.runtime.artifacts import load_npy
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    config = Unlearning(**run.params.unlearning)
    method, query = run.wildcards.method, run.wildcards.query
    data = EncodedData.load(run.input, run.device, run.resources)
    denoiser = unlearned_denoiser(
        run.input,
        model,
        config,
        query=query,
        box=run.params.box,
        images=run.params.get("trained_on") or data.images,
        batch=run.resources.gradient_batch,
        device=run.device,
    )
    rows = sweep_rows(
        run.output.scores,
        denoiser,
        build_process(model),
        data,
        LossSweep(**run.params.losses),
        batch=run.resources.batch,
        objective=config.objective,
        settings=dict(run.params),
        save_seconds=run.resources.checkpoint_seconds,
    )
    scores = unlearning_scores(rows.array, load_npy(run.input.source_losses))
    save_scores([run.output.scores], scores[None], method)
    rows.discard()
