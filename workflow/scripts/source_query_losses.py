"""Measures the source model's loss on each query, once for all evaluations."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Evaluation, Model
from leavekout.models.unet import load_unet
from leavekout.queries.queries import Queries, losses_on_queries
from leavekout.runtime.artifacts import save_npy
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    queries = Queries.load(snakemake.input, snakemake.params.names, device)
    losses = losses_on_queries(
        load_unet(model.unet, snakemake.input.weights, device=device),
        model,
        Evaluation(**snakemake.params.evaluation),
        queries,
        batch=snakemake.resources.batch,
    )
    save_npy(Path(snakemake.output.losses), losses)
