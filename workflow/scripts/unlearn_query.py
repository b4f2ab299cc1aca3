"""Unlearns one query and keeps the model, for the forgetting check."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.unlearning import unlearned_unet
from leavekout.config.experiment import Model
from leavekout.config.methods import Unlearning
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    unet = unlearned_unet(
        snakemake.input,
        Model(**snakemake.params.model),
        Unlearning(**snakemake.params.unlearning),
        query=snakemake.wildcards.query,
        box=snakemake.params.box,
        images=snakemake.params.images,
        batch=snakemake.resources.gradient_batch,
        device=device,
    )
    save_tensors(Path(snakemake.output.weights), unet.state_dict())
