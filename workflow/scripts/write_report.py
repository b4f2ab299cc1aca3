"""Writes the report: one HTML file, and a folder of pictures beside it if there are many."""

from pathlib import Path

import yaml
from vl_convert import javascript_bundle

from leavekout.base.artifacts import atomic, load_csv, load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.contract.removal import CONTROLS, NO_REMOVAL
from leavekout.leave_k_out.report.document import TABLES, document
from leavekout.leave_k_out.report.headline import methods_ks
from leavekout.leave_k_out.report.queries import Layout, Pictures
from leavekout.leave_k_out.statistics.clusters import clusters
from leavekout.report import gallery, provenance
from leavekout.report.collect import ranked_by_query, regenerated_by_query
from leavekout.report.page import render
from leavekout.report.sheets import addresses, sheet

with job(snakemake) as run:
    paths, params, page_path = run.input, run.params, run.output[0]
    pixels = load_npy(paths.pixels, mmap=True)
    captions = [str(texts[0]) for texts in load_table(paths.images)["captions"]]
    prompts = load_table(paths.queries).set_index("query")["prompt"].astype(str).to_dict()
    tables = {name: load_csv(paths[name]) for name in TABLES}
    for name in ("look", "removals", "seeds", "drift"):
        if paths.get(name):
            tables[name] = load_csv(paths[name])
    tables["measurements"] = load_table(paths.measurements)

    ranked = ranked_by_query(paths.scores, images=len(pixels), top=params.top)
    models = regenerated_by_query(paths.outcomes, params.gallery)
    images = dict(zip(params.gallery, map(load_image, paths.pictures), strict=True))
    controls = [arm for arm in CONTROLS if arm in set(tables["estimates"]["method"])]
    layout = Layout(
        [*params.methods, *(arm for arm in controls if arm != NO_REMOVAL)],
        params.top,
        methods_ks(tables["estimates"]),
    )
    sheets = {q: layout.draw(images[q], ranked[q], models[q], pixels) for q in images}
    in_a_line = {(0, column): image for column, image in enumerate(images.values())}
    sheets["queries"] = sheet(in_a_line, 1, len(images))

    published = params.config["report"]["published_numbers"]
    page = render(
        paths.template,
        document(
            tables,
            params.config,
            joined=params.joined,
            published_study=params.published,
            figures={path.stem: gallery.figure_address(path) for path in paths.figures},
            pictures=Pictures(
                layout,
                addresses(sheets, page_path.with_suffix("")),
                {query: prompts[query] for query in params.gallery},
                ranked,
                captions,
            ),
            large=pixels.shape[1] > gallery.SMALL,
            versions=provenance.versions_of(Path(params.logs), params.earlier),
            costs=provenance.costs_of(Path(params.benchmarks)),
            afterwards=params.afterwards,
            # The stub of vl_convert lacks the default.
            scripts=[javascript_bundle(None), paths.script.read_text()],  # type: ignore[arg-type]
            published=load_csv(paths.published) if published else None,
            paper=yaml.safe_load(paths.paper.read_text()),
            clusters=clusters(
                {query: prompts[query] for query in params.pool},
                params.config["dataset"].get("topics"),
            ),
        ),
    )
    with atomic(page_path) as temporary:
        temporary.write_text(page)
