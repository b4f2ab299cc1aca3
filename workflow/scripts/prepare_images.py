"""Reads the annotations and the images once: the table and the pixels of the study."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.customized.exemplars import (
    combined_table,
    files_of,
    read_exemplars,
    refuse_shared,
)
from leavekout.data.coco import read_images, training_table
from leavekout.runtime.artifacts import atomic, create_npy, save_checksum, save_table
from leavekout.runtime.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    params, captions, size = (
        snakemake.params,
        snakemake.params.captions,
        snakemake.params.image_size,
    )
    files = params.get("pool") or (snakemake.input.images, snakemake.input.annotations)
    pool, annotations = map(Path, files)
    models = Path(params.get("models_root", "."))
    table = training_table(annotations, images=params.images, captions=captions)
    if params.get("models"):
        exemplars = {m: read_exemplars(models / m, captions=captions) for m in params.models}
        table = combined_table(table, exemplars)
    with atomic(Path(snakemake.output.pixels)) as temporary:
        pixels = create_npy(temporary, np.uint8, (len(table), size, size, 3))
        images = chain.from_iterable(
            read_images(folder, names, size) for folder, names in files_of(table, pool, models)
        )
        for row, image in enumerate(images):
            pixels[row] = image
        refuse_shared(pixels, table)
        pixels.flush()
    save_table(Path(snakemake.output.table), table)
    save_checksum(
        Path(snakemake.output.checksum), Path(snakemake.output.pixels), Path(snakemake.output.table)
    )
