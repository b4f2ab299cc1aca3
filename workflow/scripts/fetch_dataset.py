"""Fetches and unpacks the archives of a data set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.runtime.artifacts import save_checksum
from leavekout.runtime.download import fetch_archive, require_unpacked, unpack
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    root = Path(snakemake.params.root)
    addresses = json.loads(snakemake.resources.addresses)
    for md5, urls in zip(snakemake.params.archives, addresses, strict=True):
        zipped = fetch_archive(urls, md5, root)
        unpack(zipped, root, snakemake.params.members)
    require_unpacked(root, snakemake.params.members)
    annotations = Path(snakemake.output.train), Path(snakemake.output.prompts)
    save_checksum(Path(snakemake.output.checksum), *annotations)
