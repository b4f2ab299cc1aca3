"""Writes a finished study's bundle: what is needed to put another method beside its methods."""

import json
from typing import TYPE_CHECKING

from leavekout.bundle.files import pack
from leavekout.runtime.artifacts import provenance
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    params = run.params
    pack(
        run.output.bundle,
        run.output.bundle.parent,
        params.artifacts,
        about={**params.about, "made_by": provenance()},
        study=json.loads(json.dumps(params.study)),  # plain dictionaries, which YAML can write
    )
