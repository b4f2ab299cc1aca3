"""Imports scores that others published for all queries, in our order of images."""

from pathlib import Path

import numpy as np

from leavekout.base.artifacts import load_table
from leavekout.base.job import job
from leavekout.contract.published import read_published_scores
from leavekout.contract.scores import save_scores
from leavekout.data.file_order import image_places

with job(snakemake) as run:
    files, params = run.input, run.params
    images, annotations = load_table(files.images), files.get("annotations")
    scores = read_published_scores(
        Path(params.file),
        entry=params.entry,
        ranks=params.ranks,
        queries=load_table(files.chosen).set_index("query").loc[params.names, "line"].tolist(),
        places=image_places(annotations, images) if annotations else np.arange(len(images)),
        method=params.method,
    )
    save_scores([str(path) for path in run.output], scores, params.method)
