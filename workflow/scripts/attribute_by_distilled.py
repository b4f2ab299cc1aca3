"""Scores every training image by distilled features' similarity to each query's."""

from typing import TYPE_CHECKING

import numpy as np

from leavekout.attribution.distilled import student_scores, students_of
from leavekout.attribution.scores import halves_by_turns, save_halves, save_scores
from leavekout.config.methods import Distilled
from leavekout.data.table import texts_for
from leavekout.encoders.joint import features_of_images, features_of_queries
from leavekout.runtime.artifacts import load_image, load_npy, load_table
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import load_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    files, config = run.input, Distilled(**run.params.distilled)
    queries = features_of_queries(
        np.stack([load_image(path) for path in files.pictures]),
        texts_for(load_table(files.queries), "prompt", "encoders").tolist(),
        files.encoder,
        files.clip,
        run.device,
    )
    images = features_of_images(
        load_npy(files.features, mmap=True), load_npy(files.text, mmap=True)
    )
    students = students_of(load_tensors(files.student)[0], images.shape[2], config)
    by_student = np.stack([student_scores(one, queries, images) for one in students])
    scores, halves = zip(
        *(halves_by_turns(by_student[:, q]) for q in range(len(queries))), strict=True
    )
    if config.students > 1:
        save_halves(run.output.halves, np.stack(halves))
    save_scores(run.output.scores, np.stack(scores), run.wildcards.method)
