"""Draws the first query as the best method's images are removed, and as many random ones."""

from leavekout.base.artifacts import load_csv, load_image, load_table
from leavekout.base.job import job
from leavekout.contract.removal import RANDOM
from leavekout.leave_k_out.report.headline import main_k, ranked
from leavekout.report.collect import regenerated_by_query
from leavekout.report.pictures import draw_filmstrip
from leavekout.report.style import save

with job(snakemake) as run:
    estimates, [query] = load_csv(run.input.estimates), run.params.names
    method = ranked(estimates, main_k(estimates))[0]
    models = regenerated_by_query(run.input.outcomes, [query])[query]
    lines = {
        f"without the K images of {method}": method,
        "without K random images": RANDOM,
    }
    figure = draw_filmstrip(
        str(load_table(run.input.queries).set_index("query")["prompt"][query]),
        load_image(run.input.images[0]),
        {
            name: {one.k: one.picture for one in models if one.method == arm}
            for name, arm in lines.items()
        },
    )
    save(figure, [run.output.png, run.output.svg])
