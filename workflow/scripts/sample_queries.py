"""Generates the queries."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Model, Sampling
from leavekout.data.coco import held_out_prompts
from leavekout.queries.queries import choose_queries, write_queries
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    prompts = held_out_prompts(Path(snakemake.input.prompts), Path(snakemake.input.images))
    write_queries(
        choose_queries(
            snakemake.params.test, snakemake.params.tuning, prompts, snakemake.params.seed
        ),
        snakemake.input,
        snakemake.output,
        Model(**snakemake.params.model),
        Sampling(**snakemake.params.sampling),
        device,
        batch=snakemake.resources.batch,
    )
