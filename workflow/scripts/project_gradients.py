"""Computes the projected per-sample gradients of the training set for one source model."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.attribution.gradients import GradientProjector, write_gradients
from leavekout.config.experiment import Model
from leavekout.config.methods import Gradients
from leavekout.data.encoded import EncodedData
from leavekout.models.unet import build_scheduler, load_unet
from leavekout.runtime.job import compute_job
from leavekout.runtime.rows import identity_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    unet = load_unet(model.unet, snakemake.input.weights, device=device)
    # A source model is named for its seed; customized models have the base model's projection.
    number = snakemake.wildcards.model.removeprefix("seed")
    seed = int(number) if number.isdigit() else 0
    projector = GradientProjector(
        unet, Gradients(**snakemake.params.gradients), model_seed=seed, device=device
    )
    data = EncodedData.load(
        snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
    )
    write_gradients(
        Path(snakemake.output.gradients),
        unet,
        build_scheduler(model.noise_schedule),
        data,
        projector,
        batch=snakemake.resources.batch,
        identity=identity_of(dict(snakemake.params), seed, data.fingerprint, unet),
        save_seconds=snakemake.resources.checkpoint_seconds,
    )
