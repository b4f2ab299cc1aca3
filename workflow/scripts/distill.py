"""Trains the features that predict how unlearning ranks a query's nearest neighbours."""

from leavekout.base.artifacts import load_npy, load_table
from leavekout.base.job import compute_job
from leavekout.base.tensors import save_tensors
from leavekout.encoders.joint import features_of_images, features_of_queries
from leavekout.methods.distilled.settings import Distilled
from leavekout.methods.distilled.students import lessons, train_student
from leavekout.queries.loading import load_pictures

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
    images = features_of_images(
        load_npy(files.features, mmap=True), load_npy(files.text, mmap=True)
    )
    given = lessons(
        queries,
        images[:, 0],
        [load_npy(path) for path in files.scores],
        load_npy(files.neighbours)[:, : config.candidates],
        image_ids=load_table(files.images)["image_id"].to_numpy(),
    )
    student = train_student(given, config, int(run.wildcards.student.partition("/")[2] or 0))
    save_tensors(run.output.student, student.state_dict())
