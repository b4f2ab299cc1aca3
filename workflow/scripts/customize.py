"""Customizes the base model on a model's exemplars, and writes diffusers' files."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.config.experiment import Model
from leavekout.config.methods import Customization
from leavekout.customized.custom_diffusion import write_customization
from leavekout.customized.customize import customize
from leavekout.customized.exemplars import exemplar_rows
from leavekout.customized.tokens import captions_with_tokens
from leavekout.data.encoded import EncodedData
from leavekout.encoders.pretrained import TextEncoder
from leavekout.models.unet import build_scheduler, load_unet
from leavekout.runtime.artifacts import load_table
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    name, model = snakemake.wildcards.model, Model(**snakemake.params.model)
    table = load_table(Path(snakemake.input.images))
    captions = captions_with_tokens(table)
    base = Path(snakemake.input.tokenizer), Path(snakemake.input.text_encoder)
    weights, token = customize(
        load_unet(model.unet, snakemake.input.weights, device=device),
        build_scheduler(model.noise_schedule),
        TextEncoder.load(*base, device),
        EncodedData.load(
            snakemake.input, device=device, room_gb=snakemake.resources.device_data_gb
        ),
        {row: captions[row] for row in exemplar_rows(table, name).nonzero()[0].tolist()},
        name,
        Customization(**snakemake.params.training),
    )
    write_customization(Path(snakemake.output.folder), weights, token)
