"""Reads the annotations and the images once: the table and the pixels of the study."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.artifacts import atomic, create_npy, save_checksum, save_table
from leavekout.coco import read_images, training_table
from leavekout.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    table = training_table(
        Path(snakemake.input.annotations),
        images=snakemake.params.images,
        captions=snakemake.params.captions,
    )
    size = snakemake.params.image_size
    with atomic(Path(snakemake.output.pixels)) as temporary:
        pixels = create_npy(temporary, np.uint8, (len(table), size, size, 3))
        images = read_images(Path(snakemake.input.images), list(table["file_name"]), size)
        for row, image in enumerate(images):
            pixels[row] = image
        pixels.flush()
    save_table(Path(snakemake.output.table), table)
    save_checksum(
        Path(snakemake.output.checksum), Path(snakemake.output.pixels), Path(snakemake.output.table)
    )
