"""Takes over the weights of a learned linear mapper, in one format."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.encoders.features import read_mapper
from leavekout.runtime.job import job
from leavekout.runtime.tensors import save_tensors

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    save_tensors(run.output.mapper, read_mapper(Path(run.params.file)))
