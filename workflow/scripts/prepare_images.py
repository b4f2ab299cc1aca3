"""Reads annotations and images, and writes the study's table and pixels."""

from pathlib import Path

from leavekout.base.artifacts import save_checksum, save_table
from leavekout.base.errors import InputError
from leavekout.base.job import job
from leavekout.data.coco import read_images, training_table
from leavekout.data.pixels import write_pixels
from leavekout.data.table import images_digest
from leavekout.leave_k_out.enough import require_prompts

with job(snakemake) as run:
    params, size = run.params, run.params.image_size
    sizes = {"images": params.images, "captions": params.captions}
    table = training_table(run.input.annotations, **sizes, subset_seed=params.get("subset_seed"))
    if params.get("published") not in (None, images_digest(table)):
        raise InputError(
            "dataset: the images, their order or their captions differ from those of the study "
            "that is joined, so its scores and removals do not apply."
        )
    needed = run.resources.prompts_needed
    require_prompts(needed, Path(run.resources.prompts), table)
    names = table["file_name"].tolist()
    images = read_images(run.input.images, names, size, params.background)
    write_pixels(run.output.pixels, images, count=len(table), size=size)
    save_table(run.output.table, table)
    save_checksum(run.output.checksum, run.output.pixels, run.output.table)
