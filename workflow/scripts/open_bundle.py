"""Writes the artifacts of the published study that is joined where its own rules would have."""

from pathlib import Path

from leavekout.base.job import job
from leavekout.leave_k_out.bundle.files import read_bundle, unpack

with job(snakemake) as run:
    bundle = read_bundle(run.input.manifest.parent).below(run.params.folders)
    bundle = bundle.without(run.params.get("without", []))
    unpack(bundle, Path("results") / run.params.experiment)
