"""Writes the report on customized models: one self-contained HTML file."""

from pathlib import Path

import numpy as np

from leavekout.base.artifacts import atomic, load_csv, load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.customized.exemplars import candidates, exemplar_rows, model_of
from leavekout.customized.report import TABLES, CustomizedPictures, document
from leavekout.data.table import texts_for
from leavekout.report import gallery, provenance
from leavekout.report.collect import ranked_by_query
from leavekout.report.page import render

with job(snakemake) as run:
    paths = run.input
    pixels = load_npy(paths.pixels, mmap=True)
    table = load_table(paths.images)
    captions = [str(texts[0]) for texts in texts_for(table, "captions", "encoders")]
    prompts = load_table(paths.queries).set_index("query")["prompt"]
    ranked = ranked_by_query(
        paths.scores,
        images=len(table),
        top=run.params.top,
        candidates=lambda query: candidates(table, query),
    )

    def pictures_of(query: str, path: Path) -> CustomizedPictures:  # noqa: D103
        own = np.flatnonzero(exemplar_rows(table, model_of(query)))
        return CustomizedPictures(
            query,
            str(prompts[query]),
            gallery.picture(load_image(path)),
            [gallery.Row(model_of(query), [gallery.picture(pixels[row]) for row in own])],
            gallery.attributed_rows(ranked[query], pixels, captions, set(own.tolist())),
        )

    page = render(
        paths.template,
        document(
            {name: load_csv(paths[name]) for name in TABLES},
            run.params.config,
            figures={path.stem: gallery.figure_address(path) for path in paths.figures},
            gallery=list(map(pictures_of, run.params.gallery, paths.pictures)),
            large=pixels.shape[1] > gallery.SMALL,
            versions=provenance.versions_of(Path(run.params.logs)),
            costs=provenance.costs_of(Path(run.params.benchmarks)),
        ),
    )
    with atomic(run.output[0]) as temporary:
        temporary.write_text(page)
