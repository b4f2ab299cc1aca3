"""Generates pictures of prompts that are related to the queries', for the forgetting check."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Model, Sampling
from leavekout.data.coco import held_out_prompts
from leavekout.encoders.features import load_text_encoder
from leavekout.queries.queries import choose_related, write_queries
from leavekout.runtime.artifacts import load_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    table = load_table(Path(snakemake.input.queries)).set_index("query")
    prompts = held_out_prompts(Path(snakemake.input.prompts), Path(snakemake.input.train_images))
    encode = load_text_encoder(Path(snakemake.input.clip), device)
    write_queries(
        choose_related(
            table.loc[snakemake.params.queries],
            prompts,
            encode,
            related=snakemake.params.related,
            seed=snakemake.params.seed,
        ),
        {**snakemake.input, "images": snakemake.input.train_images},
        snakemake.output,
        Model(**snakemake.params.model),
        Sampling(**snakemake.params.sampling),
        device,
        batch=snakemake.resources.batch,
    )
