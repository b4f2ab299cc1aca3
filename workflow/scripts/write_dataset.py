"""Writes the digits or the printed letters in COCO's format."""

from leavekout.base.artifacts import save_checksum
from leavekout.base.job import job
from leavekout.data.digits import write_digits
from leavekout.data.letters import write_letters

with job(snakemake) as run:
    annotations = run.output.train, run.output.prompts
    write = {"digits": write_digits, "letters": write_letters}[run.params.source]
    write(run.output.images, *annotations)
    save_checksum(run.output.checksum, *annotations)
