"""Computes L(z, θ0) of every training image and flip, once for all queries."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.sweep import sweep_rows
from leavekout.config.experiment import LossSweep, Model
from leavekout.data.encoded import EncodedData
from leavekout.models.unet import build_scheduler, load_unet
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    unet = load_unet(model.unet, snakemake.input.weights, device=device)
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    rows = sweep_rows(
        Path(snakemake.output.losses),
        unet,
        build_scheduler(model.noise_schedule),
        data,
        LossSweep(**snakemake.params.losses),
        batch=snakemake.resources.batch,
        objective=snakemake.wildcards.objective,
        settings=dict(snakemake.params),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
    rows.finish()
