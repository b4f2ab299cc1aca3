"""Draws each query with the top training images of every method."""

from leavekout.base.artifacts import load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.report.collect import ranked_by_query
from leavekout.report.pictures import draw_attributed
from leavekout.report.style import save

with job(snakemake) as run:
    prompts = load_table(run.input.queries).set_index("query")["prompt"]
    pixels = load_npy(run.input.pixels, mmap=True)
    ranked = ranked_by_query(run.input.scores, images=len(pixels), top=run.params.top)
    for image, output in zip(run.input.images, run.output.figures, strict=True):
        query = image.stem
        figure = draw_attributed(load_image(image), prompts[query], ranked[query], pixels)
        save(figure, [output])
