"""Computes L(z, θ0) of every training image and flip, once for all queries."""

from typing import TYPE_CHECKING

from leavekout.attribution.sweep import sweep_rows
from leavekout.config.experiment import LossSweep, Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    data = EncodedData.load(run.input, run.device, run.resources)
    rows = sweep_rows(
        run.output.losses,
        denoiser,
        build_process(model),
        data,
        LossSweep(**run.params.losses),
        batch=run.resources.batch,
        objective=run.wildcards.objective,
        settings=dict(run.params),
        save_seconds=run.resources.checkpoint_seconds,
    )
    rows.finish()
