"""Draws each query as every leave-K-out model generates it."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.report.collect import regenerated_by_query
from leavekout.report.figures.pictures import draw_regenerated
from leavekout.report.figures.style import save
from leavekout.runtime.artifacts import load_image, load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    prompts = load_table(Path(snakemake.input.queries)).set_index("query")["prompt"]
    models = regenerated_by_query(
        map(Path, [*snakemake.input.methods, *snakemake.input.controls]), snakemake.params.names
    )
    for image, output in zip(snakemake.input.images, snakemake.output.figures, strict=True):
        query = Path(image).stem
        figure = draw_regenerated(load_image(Path(image)), prompts[query], models[query])
        save(figure, [Path(output)])
