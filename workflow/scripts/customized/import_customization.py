"""Takes a customized model's changed weights and its token, checked against the base model."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.config.model import Model
from leavekout.customized.custom_diffusion import read_token, read_weights
from leavekout.models.denoiser import skeleton

with job(snakemake) as run:
    folder = Path(run.params.folder)
    denoiser = skeleton(Model(**run.params.model))
    token, weights = read_token(folder), read_weights(folder, denoiser)
    save_tensors(run.output.weights, weights, {"customized": str(folder)})
    save_tensors(run.output.token, {"embedding": token}, {"customized": str(folder)})
