"""Takes a published source model for θ0."""

from pathlib import Path
from typing import TYPE_CHECKING

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME as WEIGHTS_NAME

from leavekout.encoders.published import read_weights
from leavekout.runtime.job import job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    # A file that is there, or a fetched folder of diffusers' format.
    fetched = snakemake.input.get("fetched")
    path = Path(fetched, WEIGHTS_NAME) if fetched else Path(snakemake.params.file)
    weights = read_weights(path, snakemake.params.model["unet"])
    save_tensors(Path(snakemake.output.weights), weights, {"published": snakemake.params.file})
