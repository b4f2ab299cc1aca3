"""Writes scikit-learn's digits as a pool and the folders of customized models."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.customized.digits import write_models, write_pool
from leavekout.runtime.artifacts import atomic_folder, save_checksum
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    chosen = snakemake.params.objects, snakemake.params.styles
    train = Path(snakemake.output.train)
    write_pool(Path(snakemake.output.images), train, *chosen)
    with atomic_folder(Path(snakemake.output.models)) as folder:
        write_models(folder, *chosen)
    written = [train, *sorted(Path(snakemake.output.models).glob("*/exemplars.json"))]
    save_checksum(Path(snakemake.output.checksum), *written)
