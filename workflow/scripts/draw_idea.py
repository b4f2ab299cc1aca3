"""Draws what a study does: queries, images that the best method names, pictures without them."""

from typing import TYPE_CHECKING

import pandas as pd

from leavekout.report.collect import ranked_by_query, regenerated_by_query
from leavekout.report.figures.pictures import Idea, draw_idea
from leavekout.report.figures.style import save
from leavekout.report.headline import main_k, ranked
from leavekout.runtime.artifacts import load_image, load_npy
from leavekout.runtime.job import job
from leavekout.statistics.measurements import CONTROL

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

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
