"""Writes the report on customized models: one self-contained HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from leavekout.customized.exemplars import exemplar_rows, model_of
from leavekout.customized.report import TABLES, document
from leavekout.customized.tokens import captions_without_tokens
from leavekout.report import gallery, provenance
from leavekout.report.collect import ranked_by_query
from leavekout.report.page import render
from leavekout.runtime.artifacts import atomic, load_image, load_npy, load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    paths = snakemake.input
    pixels = load_npy(Path(paths.pixels), mmap=True)
    table = load_table(Path(paths.images))
    captions = [str(texts[0]) for texts in captions_without_tokens(table)]
    prompts = load_table(Path(paths.queries)).set_index("query")["prompt"]
    ranked = ranked_by_query(map(Path, paths.scores), top=snakemake.params.top, table=table)

    def pictures_of(query: str, path: str) -> gallery.CustomizedPictures:  # noqa: D103
        own = np.flatnonzero(exemplar_rows(table, model_of(query)))
        return gallery.CustomizedPictures(
            query,
            str(prompts[query]),
            gallery.picture(load_image(Path(path))),
            [gallery.Row(model_of(query), [gallery.picture(pixels[row]) for row in own])],
            gallery.attributed_rows(ranked[query], pixels, captions, set(own.tolist())),
        )

    page = render(
        Path(paths.template),
        document(
            {name: pd.read_csv(paths[name]) for name in TABLES},
            snakemake.params.config,
            figures={Path(p).stem: gallery.figure_address(Path(p)) for p in paths.figures},
            gallery=list(map(pictures_of, snakemake.params.gallery, paths.pictures)),
            large=pixels.shape[1] > gallery.SMALL,
            versions=provenance.versions_of(Path(snakemake.params.logs)),
            costs=provenance.costs_of(Path(snakemake.params.benchmarks)),
        ),
    )
    with atomic(Path(snakemake.output[0])) as temporary:
        temporary.write_text(page)
