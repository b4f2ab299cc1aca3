"""Draws what every leave-K-out model generates for each query."""

from leavekout.base.artifacts import load_image, load_table
from leavekout.base.job import job
from leavekout.report.collect import regenerated_by_query
from leavekout.report.pictures import draw_regenerated
from leavekout.report.style import save

with job(snakemake) as run:
    prompts = load_table(run.input.queries).set_index("query")["prompt"]
    models = regenerated_by_query(run.input.outcomes, run.params.names)
    for image, output in zip(run.input.images, run.output.figures, strict=True):
        query = image.stem
        save(draw_regenerated(load_image(image), prompts[query], models[query]), [output])
