"""Scores every training image by the loss change of the model trained without its group."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.oracle import oracle_scores
from leavekout.attribution.scores import save_scores
from leavekout.runtime.artifacts import load_json, load_npy
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    scores = oracle_scores(
        load_npy(Path(snakemake.input.groups)),
        [load_json(Path(path)) for path in snakemake.input.evaluations],
        snakemake.params.names,
    )
    save_scores(snakemake.output.scores, scores, "oracle")
