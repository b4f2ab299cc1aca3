"""Fetches and unpacks the archives of a data set, and pictures that are served one by one."""

import json
import os
from pathlib import Path

from leavekout.base.artifacts import save_checksum
from leavekout.base.job import job
from leavekout.data.archives import unpack
from leavekout.data.coco import require_inside, training_table
from leavekout.data.download import fetch_archive, fetch_pictures, require_unpacked

with job(snakemake) as run:
    root = Path(run.params.root)
    addresses = json.loads(run.resources.addresses)
    for md5, urls in zip(run.params.archives, addresses, strict=True):
        unpack(fetch_archive(urls, md5, root), root, run.params.members)
    require_unpacked(root, run.params.members)
    if sizes := run.params.get("sizes"):
        names = training_table(run.output.train, **sizes)["file_name"].tolist()
        require_inside(run.output.images, names)
        # Snakemake deletes an output before its job, so pictures are kept beside, and linked.
        kept = root / "one-by-one"
        fetch_pictures(run.resources.pictures, names, kept)
        for name in names:
            link = run.output.images / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(kept / name, link.parent))
    save_checksum(run.output.checksum, run.output.train, run.output.prompts)
