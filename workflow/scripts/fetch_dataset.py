"""Fetches and unpacks the archives of a data set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.download import fetch_archive, require_unpacked, unpack
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as run:
    root = Path(run.params.root)
    addresses = json.loads(run.resources.addresses)
    for md5, urls in zip(run.params.archives, addresses, strict=True):
        zipped = fetch_archive(urls, md5, root)
        unpack(zipped, root, run.params.members)
    require_unpacked(root, run.params.members)
    annotations = run.output.train, run.output.prompts
    save_checksum(run.output.checksum, *annotations)
