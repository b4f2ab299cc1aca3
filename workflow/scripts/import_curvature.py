"""Imports a published curvature of a weight subset at θ0."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.config.experiment import Model
from leavekout.curvature.published import read_diagonal, read_kronfluence
from leavekout.models.denoiser import select_weights, skeleton

with job(snakemake) as run:
    read = {"diagonal": read_diagonal, "ekfac": read_kronfluence}[run.params.curvature]
    weights = select_weights(skeleton(Model(**run.params.model)), run.wildcards.weights)
    factors = read(Path(run.params.file), weights)
    save_tensors(run.output.curvature, factors, {"published": run.params.file})
