"""Trains the source model θ0 on all images (but exemplars, which are no training images)."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData
from leavekout.runtime.job import compute_job
from leavekout.training.training import train_from_scratch

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    train_from_scratch(
        data,
        Model(**snakemake.params.model),
        Training(**snakemake.params.training),
        removed=data.exemplars.numpy(),
        output=Path(snakemake.output.weights),
        save_state_seconds=snakemake.resources.checkpoint_seconds,
        compiled=bool(snakemake.resources.compile),
    )
