"""Imports the weights of a learned linear mapper, in one format."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.encoders.features import read_mapper

with job(snakemake) as run:
    save_tensors(run.output.mapper, read_mapper(Path(run.params.file)))
