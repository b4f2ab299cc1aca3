"""Takes over scores that were computed elsewhere, aligned with the training images."""

from typing import TYPE_CHECKING

from leavekout.attribution.scores import read_external_scores, save_scores
from leavekout.runtime.artifacts import load_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    ids = load_table(run.input.images)["image_id"].to_numpy()
    method = run.wildcards.method
    scores = read_external_scores(run.input.scores, image_ids=ids, method=method)
    save_scores([run.output.scores], scores[None], method)
