"""Takes the checksum of a data set that is there already."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    files = run.params.get("files") or run.input
    save_checksum(run.output.checksum, *map(Path, files))
