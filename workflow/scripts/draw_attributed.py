"""Draws each query with the top training images of every method."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from leavekout.customized.exemplars import exemplars_by_query
from leavekout.report.collect import ranked_by_query
from leavekout.report.figures.pictures import draw_attributed
from leavekout.report.figures.style import save
from leavekout.runtime.artifacts import load_image, load_npy, load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    queries = load_table(Path(snakemake.input.queries)).set_index("query")
    pixels = load_npy(Path(snakemake.input.pixels), mmap=True)
    # Of customized models the table says whose exemplars images are.
    given = snakemake.input.table
    table = load_table(Path(given)) if given else pd.DataFrame(index=range(len(pixels)))
    ranked = ranked_by_query(
        map(Path, snakemake.input.scores), top=snakemake.params.top, table=table
    )
    exemplars = exemplars_by_query(table, queries)
    for image, output in zip(snakemake.input.images, snakemake.output.figures, strict=True):
        query = Path(image).stem
        figure = draw_attributed(
            load_image(Path(image)), str(queries.loc[query, "prompt"]), ranked[query], pixels,
            exemplars.get(query),
        )  # fmt: skip
        save(figure, [Path(output)])
