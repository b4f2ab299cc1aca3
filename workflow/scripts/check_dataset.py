"""Takes the checksum of a data set that is there already."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    files = snakemake.params.get("files") or snakemake.input
    save_checksum(Path(snakemake.output.checksum), *map(Path, files))
