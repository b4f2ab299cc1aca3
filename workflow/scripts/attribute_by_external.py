"""Imports scores that were computed elsewhere, aligned with the training images."""

from leavekout.base.artifacts import load_table
from leavekout.base.job import job
from leavekout.contract.scores import save_scores
from leavekout.methods.external.reading import read_external_scores

with job(snakemake) as run:
    ids = load_table(run.input.images)["image_id"].to_numpy()
    method = run.wildcards.method
    scores = read_external_scores(run.input.scores, image_ids=ids, method=method)
    save_scores([run.output.scores], scores[None], method)
