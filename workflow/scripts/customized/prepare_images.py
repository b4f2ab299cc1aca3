"""Reads pool and exemplars once: the table and the pixels of the study."""

from itertools import chain
from pathlib import Path

from leavekout.base.artifacts import save_checksum, save_table
from leavekout.base.job import job
from leavekout.customized.exemplars import (
    combined_table,
    files_of,
    read_exemplars,
    refuse_shared,
)
from leavekout.data.coco import read_images, training_table
from leavekout.data.pixels import write_pixels

with job(snakemake) as run:
    params = run.params
    size, captions, models = params.image_size, params.captions, Path(params.models_root)
    folder, annotations = map(Path, params.pool)
    pool = training_table(annotations, images=params.images, captions=captions)
    exemplars = {m: read_exemplars(models / m, captions=captions) for m in params.models}
    table = combined_table(pool, exemplars)
    images = chain.from_iterable(
        read_images(place, names, size, params.background)
        for place, names in files_of(table, folder, models)
    )
    write_pixels(
        run.output.pixels,
        images,
        count=len(table),
        size=size,
        check=lambda pixels: refuse_shared(pixels, table),
    )
    save_table(run.output.table, table)
    save_checksum(run.output.checksum, run.output.pixels, run.output.table)
