"""Writes a finished study's bundle: what is needed to put another method beside its methods."""

import json
from pathlib import Path
from typing import Any

from leavekout.base.artifacts import load_table, provenance
from leavekout.base.job import job
from leavekout.data.table import images_digest
from leavekout.leave_k_out.bundle.files import pack
from leavekout.report.provenance import versions_of


def plain(mapping: Any) -> dict[str, Any]:
    """Snakemake's mappings as dictionaries, which YAML can write."""
    return dict(json.loads(json.dumps(mapping)))


with job(snakemake) as run:
    params, images = run.params, load_table(run.input.images)
    versions = versions_of(Path(params.logs), params.earlier)
    pack(
        run.output.bundle,
        run.output.bundle.parent,
        params.artifacts,
        about={
            **plain(params.about),
            "images": images_digest(images),
            "made_by": provenance(),
            "versions": versions[~versions["stage"].isin(params.afterwards)].to_dict("records"),
        },
        study=plain(params.study),
    )
