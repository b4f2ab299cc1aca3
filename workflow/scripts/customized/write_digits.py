"""Writes scikit-learn's digits as a pool and the folders of customized models."""

from leavekout.base.artifacts import atomic_folder, save_checksum
from leavekout.base.job import job
from leavekout.customized.digits import write_models, write_pool

with job(snakemake) as run:
    chosen = run.params.objects, run.params.styles
    train = run.output.train
    write_pool(run.output.images, train, *chosen)
    with atomic_folder(run.output.models) as folder:
        write_models(folder, *chosen)
    written = [train, *sorted(run.output.models.glob("*/exemplars.json"))]
    save_checksum(run.output.checksum, *written)
