"""Writes the report: one self-contained HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml

from leavekout.report import gallery, provenance
from leavekout.report.collect import ranked_by_query, regenerated_by_query
from leavekout.report.document import TABLES, document
from leavekout.report.page import render
from leavekout.runtime.artifacts import atomic, load_image, load_npy, load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    paths, config = snakemake.input, snakemake.params.config
    pixels = load_npy(Path(paths.pixels), mmap=True)
    table = load_table(Path(paths.images))
    captions = [str(texts[0]) for texts in table["captions"]]
    prompts = load_table(Path(paths.queries)).set_index("query")["prompt"]
    scores = map(Path, paths.scores)
    ranked = ranked_by_query(scores, top=snakemake.params.top, table=table)
    models = regenerated_by_query(
        map(Path, [*paths.evaluations, *paths.controls]), snakemake.params.gallery
    )
    published = None
    if config["report"]["published_numbers"]:
        published = pd.read_csv(paths.published)
    page = render(
        Path(paths.template),
        document(
            {name: pd.read_csv(paths[name]) for name in TABLES},
            config,
            figures={Path(p).stem: gallery.figure_address(Path(p)) for p in paths.figures},
            gallery=[
                gallery.QueryPictures(
                    query,
                    str(prompts[query]),
                    gallery.picture(load_image(Path(picture))),
                    gallery.attributed_rows(ranked[query], pixels, captions),
                    gallery.regenerated_rows(models[query]),
                )
                for query, picture in zip(snakemake.params.gallery, paths.pictures, strict=True)
            ],
            large=pixels.shape[1] > gallery.SMALL,
            versions=provenance.versions_of(Path(snakemake.params.logs)),
            costs=provenance.costs_of(Path(snakemake.params.benchmarks)),
            published=published,
            paper=yaml.safe_load(Path(paths.paper).read_text()),
        ),
    )
    with atomic(Path(snakemake.output[0])) as temporary:
        temporary.write_text(page)
