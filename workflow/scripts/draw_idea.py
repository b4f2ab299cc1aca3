"""Draws what a study does: queries, images that the best method names, pictures without them."""

import pandas as pd

from leavekout.base.artifacts import load_image, load_npy
from leavekout.base.job import job
from leavekout.leave_k_out.report.collect import ranked_by_query, regenerated_by_query
from leavekout.leave_k_out.report.figures.pictures import Idea, draw_idea
from leavekout.leave_k_out.report.headline import main_k, ranked
from leavekout.leave_k_out.statistics.measurements import CONTROL
from leavekout.report.style import save

with job(snakemake) as run:
    estimates = pd.read_csv(run.input.estimates)
    k = main_k(estimates)
    method = ranked(estimates, k)[0]
    pixels, label = load_npy(run.input.pixels, mmap=True), f"K = {k:,}"
    named = ranked_by_query(run.input.scores, images=len(pixels), top=run.params.top)
    models = regenerated_by_query(run.input.outcomes, run.params.names)
    prompts = pd.read_parquet(run.input.queries).set_index("query")["prompt"]
    ideas = [
        Idea(
            str(prompts[image.stem]),
            load_image(image),
            pixels[named[image.stem][method]],
            models[image.stem][method][label],
            models[image.stem][CONTROL][label],
        )
        for image in run.input.images
    ]
    save(draw_idea(ideas, method, k), [run.output.png, run.output.svg])
