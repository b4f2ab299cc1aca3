"""Unlearns one query and scores every training image by its loss change."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.scores import save_scores
from leavekout.attribution.sweep import sweep_rows
from leavekout.attribution.unlearning import unlearned_unet, unlearning_scores
from leavekout.config.experiment import LossSweep, Model
from leavekout.config.methods import Unlearning
from leavekout.data.encoded import EncodedData
from leavekout.models.unet import build_scheduler
from leavekout.runtime.artifacts import load_npy
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    config = Unlearning(**snakemake.params.unlearning)
    method, query = snakemake.wildcards.method, snakemake.wildcards.query
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    unet = unlearned_unet(
        snakemake.input,
        model,
        config,
        query=query,
        box=snakemake.params.box,
        images=snakemake.params.get("trained_on") or data.images,
        batch=snakemake.resources.gradient_batch,
        device=device,
    )
    rows = sweep_rows(
        Path(snakemake.output.scores),
        unet,
        build_scheduler(model.noise_schedule),
        data,
        LossSweep(**snakemake.params.losses),
        batch=snakemake.resources.batch,
        objective=config.objective,
        settings=dict(snakemake.params),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    scores = unlearning_scores(rows.array, load_npy(Path(snakemake.input.source_losses)))
    save_scores([snakemake.output.scores], scores[None], method)
    rows.discard()
