"""Estimates the Fisher of a weight subset at θ0: its diagonal, or its EK-FAC factors."""

from typing import TYPE_CHECKING

from leavekout.attribution.curvature.ekfac import ekfac
from leavekout.attribution.curvature.fisher import diagonal_fisher
from leavekout.config.experiment import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import load_denoiser, select_weights
from leavekout.models.process import build_process
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    estimate = {"diagonal": diagonal_fisher, "ekfac": ekfac}[run.params.curvature]
    fisher = estimate(
        denoiser,
        build_process(model),
        EncodedData.load(run.input, run.device, run.resources),
        select_weights(denoiser, run.wildcards.weights),
        **run.params.fisher,
        batch=run.resources.batch,
    )
    save_tensors(run.output.fisher, fisher, {"fisher": run.params.fisher})
