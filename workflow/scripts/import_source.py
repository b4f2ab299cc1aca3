"""Takes a published source model for θ0."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.job import job
from leavekout.published import read_weights
from leavekout.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    weights = read_weights(Path(snakemake.params.file), snakemake.params.model["unet"])
    save_tensors(Path(snakemake.output.weights), weights, {"published": snakemake.params.file})
