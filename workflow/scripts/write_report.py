"""Writes the report: one self-contained HTML file."""

from pathlib import Path

import yaml

from leavekout.base.artifacts import atomic, load_csv, load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.leave_k_out.report.document import TABLES, document
from leavekout.report import gallery, provenance
from leavekout.report.collect import ranked_by_query, regenerated_by_query
from leavekout.report.page import render

with job(snakemake) as run:
    paths, params = run.input, run.params
    pixels = load_npy(paths.pixels, mmap=True)
    captions = [str(texts[0]) for texts in load_table(paths.images)["captions"]]
    prompts = load_table(paths.queries).set_index("query")["prompt"]
    ranked = ranked_by_query(paths.scores, images=len(pixels), top=params.top)
    models = regenerated_by_query(paths.outcomes, params.gallery)
    tables = {name: load_csv(paths[name]) for name in TABLES}
    for name in ("looks", "removals", "seeds", "drift"):
        if paths.get(name):
            tables[name] = load_csv(paths[name])
    published = params.config["report"]["published_numbers"]
    page = render(
        paths.template,
        document(
            tables,
            params.config,
            joined=params.joined,
            published_study=params.published,
            figures={path.stem: gallery.figure_address(path) for path in paths.figures},
            gallery=[
                gallery.QueryPictures(
                    query,
                    str(prompts[query]),
                    gallery.picture(load_image(picture)),
                    gallery.attributed_rows(ranked[query], pixels, captions),
                    gallery.regenerated_rows(models[query]),
                )
                for query, picture in zip(params.gallery, paths.pictures, strict=True)
            ],
            large=pixels.shape[1] > gallery.SMALL,
            versions=provenance.versions_of(Path(params.logs), params.earlier),
            costs=provenance.costs_of(Path(params.benchmarks)),
            afterwards=params.afterwards,
            published=load_csv(paths.published) if published else None,
            paper=yaml.safe_load(paths.paper.read_text()),
        ),
    )
    with atomic(run.output[0]) as temporary:
        temporary.write_text(page)
