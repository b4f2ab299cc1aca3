"""Draws each query with the top images of every method, its model's exemplars framed."""

from leavekout.base.artifacts import load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.customized.exemplars import candidates, exemplars_by_query
from leavekout.report.collect import ranked_by_query
from leavekout.report.pictures import draw_attributed
from leavekout.report.style import save

with job(snakemake) as run:
    table = load_table(run.input.table)
    queries = load_table(run.input.queries).set_index("query")
    pixels = load_npy(run.input.pixels, mmap=True)
    ranked = ranked_by_query(
        run.input.scores,
        images=len(table),
        top=run.params.top,
        candidates=lambda query: candidates(table, query),
    )
    exemplars = exemplars_by_query(table, queries)
    for image, output in zip(run.input.images, run.output.figures, strict=True):
        query = image.stem
        figure = draw_attributed(
            load_image(image),
            str(queries.loc[query, "prompt"]),
            ranked[query],
            pixels,
            framed=exemplars[query],
            note="framed: exemplars of the customized model",
        )
        save(figure, [output])
