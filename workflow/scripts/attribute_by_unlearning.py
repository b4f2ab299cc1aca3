"""Unlearns one query and scores every training image by its loss change."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy, save_npy
from leavekout.data import EncodedData
from leavekout.job import compute_job
from leavekout.loss import training_losses
from leavekout.queries import Queries
from leavekout.schema import LossSweep, Model, Unlearning
from leavekout.scores import check_scores
from leavekout.tensors import load_tensors
from leavekout.unet import build_scheduler, load_unet, select_weights
from leavekout.unlearning import unlearn, unlearning_scores

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    config = Unlearning(**snakemake.params.unlearning)
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    files = {
        "queries": snakemake.input.queries,
        "latents": snakemake.input.query_latents,
        "text": snakemake.input.query_text,
    }
    query = Queries.load(files, [snakemake.wildcards.query], device)
    scheduler = build_scheduler(model.noise_schedule)
    unet = load_unet(model.unet, Path(snakemake.input.weights), device=device)
    fisher = snakemake.input.get("fisher")
    unlearn(
        unet,
        scheduler,
        select_weights(unet, config.weights),
        load_tensors(Path(fisher))[0] if fisher else None,
        query.latents[0],
        query.text[0],
        config,
        query_id=query.noise_seeds[0],
        images=data.images,
        batch=snakemake.resources.gradient_batch,
        box=snakemake.params.box,
    )
    losses = training_losses(
        unet,
        scheduler,
        data,
        LossSweep(**snakemake.params.losses),
        batch=snakemake.resources.batch,
        objective=config.objective,
        what=f"{snakemake.wildcards.method} {snakemake.wildcards.query}",
    )
    scores = unlearning_scores(losses, load_npy(Path(snakemake.input.source_losses)))
    output = snakemake.output.scores
    check_scores(scores, images=data.images, method=snakemake.wildcards.method, source=output)
    save_npy(Path(output), scores)
