"""Fetches the list of queries of the published benchmark, and the lists that it refers to."""

import shutil

from leavekout.base.artifacts import atomic, atomic_folder
from leavekout.base.job import job
from leavekout.customized.published import LISTS, read_models
from leavekout.data.download import fetch_archive
from leavekout.encoders.hub import fetch_files

with job(snakemake) as run:
    params, tasks = run.params, run.output.tasks
    downloads = tasks.parent / ".tasks"
    file = fetch_archive([run.resources.address], params.sha256, downloads)
    where = params.repo, params.revision, LISTS
    lists = fetch_files(*where, downloads, endpoint=run.resources.endpoint or None)
    with atomic_folder(run.output.lists) as folder:
        for path in lists:
            shutil.copyfile(path, folder / path.name)
        read_models(file, folder)  # so that a wrong list is refused here
    with atomic(tasks) as temporary:
        shutil.copyfile(file, temporary)
    shutil.rmtree(downloads)
