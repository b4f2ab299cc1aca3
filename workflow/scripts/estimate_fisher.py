"""Estimates the Fisher of a weight subset at θ0: its diagonal, or its EK-FAC factors."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.curvature.ekfac import ekfac
from leavekout.attribution.curvature.fisher import diagonal_fisher
from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.unet import build_scheduler, load_unet, select_weights
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    unet = load_unet(model.unet, snakemake.input.weights, device=device)
    estimate = {"diagonal": diagonal_fisher, "ekfac": ekfac}[snakemake.params.curvature]
    fisher = estimate(
        unet,
        build_scheduler(model.noise_schedule),
        EncodedData.load(
            snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
        ),
        select_weights(unet, snakemake.wildcards.weights),
        **snakemake.params.fisher,
        batch=snakemake.resources.batch,
    )
    save_tensors(Path(snakemake.output.fisher), fisher, {"fisher": snakemake.params.fisher})
