"""Draws each query as every leave-K-out model generates it."""

from leavekout.base.artifacts import load_image, load_table
from leavekout.base.job import job
from leavekout.leave_k_out.report.collect import regenerated_by_query
from leavekout.leave_k_out.report.figures.pictures import draw_regenerated
from leavekout.report.style import save

with job(snakemake) as run:
    prompts = load_table(run.input.queries).set_index("query")["prompt"]
    models = regenerated_by_query(run.input.outcomes, run.params.names)
    for image, output in zip(run.input.images, run.output.figures, strict=True):
        query = image.stem
        save(draw_regenerated(load_image(image), prompts[query], models[query]), [output])
