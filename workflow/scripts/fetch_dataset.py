"""Fetches and unpacks the archives of a data set."""

import json
from pathlib import Path

from leavekout.base.artifacts import save_checksum
from leavekout.base.job import job
from leavekout.data.archives import unpack
from leavekout.data.download import fetch_archive, require_unpacked

with job(snakemake) as run:
    root = Path(run.params.root)
    addresses = json.loads(run.resources.addresses)
    for md5, urls in zip(run.params.archives, addresses, strict=True):
        unpack(fetch_archive(urls, md5, root), root, run.params.members)
    require_unpacked(root, run.params.members)
    save_checksum(run.output.checksum, run.output.train, run.output.prompts)
