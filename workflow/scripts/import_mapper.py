"""Imports the weights of learned linear layers, from a file or from a fetched archive."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.base.tensors import save_tensors
from leavekout.data.download import read_member
from leavekout.methods.embeddings.mapper import read_mapper

with job(snakemake) as run:
    file, archive = run.params.file, run.input.get("archive")
    if archive:
        mapper = read_mapper(archive / file["member"], read_member(archive, file["member"]))
    else:
        mapper = read_mapper(Path(file))
    save_tensors(run.output.mapper, mapper)
