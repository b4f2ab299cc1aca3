"""Draws each query with the top training images of every method."""

from typing import TYPE_CHECKING

from leavekout.report.collect import ranked_by_query
from leavekout.report.figures.pictures import draw_attributed
from leavekout.report.figures.style import save
from leavekout.runtime.artifacts import load_image, load_npy, load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    prompts = load_table(run.input.queries).set_index("query")["prompt"]
    pixels = load_npy(run.input.pixels, mmap=True)
    ranked = ranked_by_query(run.input.scores, images=len(pixels), top=run.params.top)
    for image, output in zip(run.input.images, run.output.figures, strict=True):
        query = image.stem
        figure = draw_attributed(load_image(image), prompts[query], ranked[query], pixels)
        save(figure, [output])
