"""Estimates the curvature of a weight subset at θ0: the Fisher's diagonal, or EK-FAC factors."""

from functools import partial
from typing import Any

from leavekout.base.job import compute_job
from leavekout.base.rows import identity_of
from leavekout.base.sums import SavedSums
from leavekout.base.tensors import save_tensors
from leavekout.config.experiment import Model
from leavekout.curvature.ekfac import ekfac, gauss_newton
from leavekout.curvature.fisher import diagonal_fisher
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import load_denoiser, select_weights
from leavekout.models.process import build_process

with compute_job(snakemake) as run:
    model = Model(**run.params.model)
    denoiser = load_denoiser(model, run.input.weights, device=run.device)
    data = EncodedData.load(run.input, run.device, run.resources)
    sums = SavedSums(
        run.output.curvature,
        run.device,
        identity=identity_of(dict(run.params), run.wildcards.weights, data.fingerprint, denoiser),
        save_seconds=run.resources.checkpoint_seconds,
    )
    estimate: Any = {
        "diagonal": diagonal_fisher,
        "ekfac": ekfac,
        "gauss_newton": partial(ekfac, objective=gauss_newton),
    }[run.params.curvature]
    fisher = estimate(
        denoiser,
        build_process(model),
        data,
        select_weights(denoiser, run.wildcards.weights),
        **run.params.fisher,
        batch=run.resources.batch,
        sums=sums,
    )
    save_tensors(run.output.curvature, fisher, {"fisher": run.params.fisher})
    sums.discard()
