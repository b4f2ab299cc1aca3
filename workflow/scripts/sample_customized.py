"""Generates the queries of customized models, or takes those that were generated elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Model, Sampling
from leavekout.customized.collection import given_queries, prompts_of_models
from leavekout.queries.queries import write_given_queries, write_queries
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    params, batch = snakemake.params, snakemake.resources.batch
    if params.given:
        table, pictures = given_queries(Path(params.root), params.queries)
        write_given_queries(
            table, pictures, params.size, snakemake.input, snakemake.output, device, batch
        )
    else:
        write_queries(
            prompts_of_models(Path(params.root), params.queries, params.seed),
            snakemake.input,
            snakemake.output,
            Model(**params.model),
            Sampling(**params.sampling),
            device,
            batch=batch,
        )
