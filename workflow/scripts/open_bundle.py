"""Writes the artifacts of the published study that is joined where its own rules would have."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.bundle.files import read_bundle, unpack
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    bundle = read_bundle(run.input.manifest.parent).below(run.params.folders)
    bundle = bundle.without(run.params.get("without", []))
    unpack(bundle, Path("results") / run.params.experiment)
