"""Trains the features that foretell how unlearning ranks a query's nearest neighbours."""

from typing import TYPE_CHECKING

from leavekout.attribution.distilled import lessons, train_student
from leavekout.attribution.scores import read_scores
from leavekout.config.methods import Distilled
from leavekout.encoders.joint import features_of_images, features_of_queries
from leavekout.queries.loading import load_pictures
from leavekout.runtime.artifacts import load_npy, load_table
from leavekout.runtime.job import compute_job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as run:
    files, config = run.input, Distilled(**run.params.distilled)
    prompts = load_table(files.queries).set_index("query")["prompt"]
    queries = features_of_queries(
        load_pictures(files.pictures, run.params.names),
        [str(prompts[name]) for name in run.params.names],
        files.encoder,
        files.clip,
        run.device,
    )
    of_pictures = load_npy(files.features, mmap=True)
    images = features_of_images(of_pictures, load_npy(files.text, mmap=True))
    width = of_pictures.shape[2]  # of the picture's own features, by which images are near
    given = lessons(
        queries,
        images[:, 0],
        [read_scores(path, images=len(images), method=config.teacher) for path in files.scores],
        (queries[:, :width], images[:, 0, :width]),
        image_ids=load_table(files.images)["image_id"].to_numpy(),
        candidates=config.candidates,
    )
    student = train_student(given, config)
    save_tensors(run.output.student, student.state_dict())
