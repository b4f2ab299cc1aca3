"""Draws what a study does: queries, images that the best method selects, pictures without them."""

from leavekout.base.artifacts import load_csv, load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.contract.removal import RANDOM
from leavekout.leave_k_out.report.headline import main_k, ranked
from leavekout.report.collect import ranked_by_query, regenerated_by_query
from leavekout.report.pictures import Idea, draw_idea
from leavekout.report.style import save

with job(snakemake) as run:
    estimates = load_csv(run.input.estimates)
    k = main_k(estimates)
    method = ranked(estimates, k)[0]
    pixels = load_npy(run.input.pixels, mmap=True)
    named = ranked_by_query(run.input.scores, images=len(pixels), top=run.params.top)
    models = regenerated_by_query(run.input.outcomes, run.params.names)
    prompts = load_table(run.input.queries).set_index("query")["prompt"]
    ideas = []
    for image in run.input.images:
        query = image.stem
        regenerated = {(one.method, one.k): one.picture for one in models[query]}
        ideas.append(
            Idea(
                str(prompts[query]),
                load_image(image),
                pixels[named[query][method].rows],
                regenerated[method, k],
                regenerated[RANDOM, k],
            )
        )
    save(draw_idea(ideas, method, k), [run.output.png, run.output.svg])
