"""Imports a published source model as θ0."""

from pathlib import Path

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME as WEIGHTS_NAME

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.config.model import Model
from leavekout.encoders.published import read_weights

with job(snakemake) as run:
    # A file of the user, or a fetched folder in diffusers' format.
    fetched = run.input.get("fetched")
    path = Path(fetched, WEIGHTS_NAME) if fetched else Path(run.params.file)
    weights = read_weights(path, Model(**run.params.model))
    save_tensors(run.output.weights, weights, {"published": run.params.file})
