"""Computes L(z, θ0) of every training image and flip, once for all queries."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import save_npy
from leavekout.data import EncodedData
from leavekout.job import compute_job
from leavekout.loss import training_losses
from leavekout.schema import LossSweep, Model
from leavekout.unet import build_scheduler, load_unet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    losses = training_losses(
        load_unet(model.unet, Path(snakemake.input.weights), device=device),
        build_scheduler(model.noise_schedule),
        EncodedData.load(
            snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
        ),
        LossSweep(**snakemake.params.losses),
        batch=snakemake.resources.batch,
        objective=snakemake.wildcards.objective,
        what="source losses",
    )
    save_npy(Path(snakemake.output.losses), losses)
