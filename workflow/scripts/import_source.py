"""Imports a published source model as θ0."""

from pathlib import Path

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME as WEIGHTS_NAME

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.config.model import Model
from leavekout.encoders.published import read_weights

with job(snakemake) as run:
    # A file, or a fetched folder in diffusers' format.
    file = run.params.file
    path = Path(file) if isinstance(file, str) else run.input.fetched / WEIGHTS_NAME
    weights = read_weights(path, Model(**run.params.model))
    save_tensors(run.output.weights, weights, {"published": run.params.file})
