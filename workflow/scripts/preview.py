"""Compares a method's scores with those of a study's methods, in a text and a sheet of pictures."""

import numpy as np

from leavekout.base.artifacts import atomic, load_image, load_npy, load_table
from leavekout.base.job import job
from leavekout.contract.scores import read_scores, top_k
from leavekout.leave_k_out.preview import Preview, agreements, doubts, largest_sets, lds_of
from leavekout.leave_k_out.removals import random_set
from leavekout.leave_k_out.statistics.arms import arms_of_measures
from leavekout.leave_k_out.statistics.clusters import clusters
from leavekout.leave_k_out.statistics.measurements import tabulate
from leavekout.leave_k_out.statistics.repeatability import repeatability_table
from leavekout.methods.external.reading import read_external_scores
from leavekout.report.pictures import Compared, draw_compared
from leavekout.report.style import save

ROWS = 6  # methods on the sheet: the previewed one and those it agrees with most

with job(snakemake) as run:
    params, method = run.params, run.wildcards.method
    pixels = load_npy(run.input.pixels, mmap=True)
    images, queries = len(pixels), sorted(params.queries)  # sorted, as the arms are
    ids = load_table(run.input.images)["image_id"].to_numpy()
    own = {
        path.stem: read_external_scores(path, image_ids=ids, method=method)
        for path in run.input.own
    }
    of_query = {method: own}
    for path in run.input.others:
        name = path.parent.name
        of_query.setdefault(name, {})[path.stem] = read_scores(path, images=images, method=name)
    scores = {name: np.stack([by[q] for q in queries]) for name, by in of_query.items()}
    others = {name: values for name, values in scores.items() if name != method}
    agreement = agreements(scores[method], others, params.k)

    prompts = load_table(run.input.queries).set_index("query")["prompt"].astype(str)
    cluster_of = clusters({query: prompts[query] for query in queries}, params.topics)
    _, arms = next(arms_of_measures(tabulate([load_table(run.input.random)], cluster_of)))
    lds = None
    if (k := largest_sets(arms)) is not None:
        sets = [
            random_set(images, k, number=number, seed=params.set_seed)
            for number in arms.sets[k].tolist()
        ]
        lds = lds_of(scores, arms, sets, k)

    halves = [(method, path.stem, load_npy(path)) for path in run.input.get("halves") or []]
    preview = Preview(
        method,
        params.study,
        len(queries),
        images,
        params.k,
        agreement,
        lds,
        repeatability_table(halves, [params.k]) if halves else None,
        doubts(scores[method], agreement, params.k),
    )
    with atomic(run.output.text) as temporary:
        temporary.write_text(preview.text())

    order = agreement.sort_values("rank_correlation", ascending=False)["method"]
    shown = [method, *order[: ROWS - 1]]
    sheet = [
        Compared(
            prompts[path.stem],
            load_image(path),
            {name: pixels[top_k(of_query[name][path.stem], params.top)] for name in shown},
        )
        for path in run.input.pictures
    ]
    save(draw_compared(sheet), [run.output.sheet])
