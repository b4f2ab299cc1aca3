"""Imports the weights of learned linear layers."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.methods.embeddings.mapper import read_mapper

with job(snakemake) as run:
    save_tensors(run.output.mapper, read_mapper(Path(run.params.file)))
