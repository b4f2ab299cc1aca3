"""Scores every training image by distilled features' similarity to each query's."""

import numpy as np

from leavekout.base.artifacts import load_image, load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.base.tensors import load_tensors
from leavekout.contract.scores import save_halves, save_scores, split_half_scores
from leavekout.data.table import texts_for
from leavekout.encoders.joint import features_of_images, features_of_queries
from leavekout.methods.distilled.settings import Distilled
from leavekout.methods.distilled.students import Student, student_scores

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
    by_student = []
    for path in files.students:
        student = Student(images.shape[2], config).eval()
        student.load_state_dict(load_tensors(path)[0])
        by_student.append(student_scores(student, queries, images))
    scores, halves = zip(
        *(split_half_scores(np.stack(of_query)) for of_query in zip(*by_student, strict=True)),
        strict=True,
    )
    if config.students > 1:
        save_halves(run.output.halves, np.stack(halves))
    save_scores(run.output.scores, np.stack(scores), run.wildcards.method)
