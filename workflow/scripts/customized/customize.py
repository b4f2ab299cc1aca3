"""Customizes the base model on a model's exemplars, and writes diffusers' files."""

from leavekout.base.artifacts import load_table
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model
from leavekout.customized.config import Customization
from leavekout.customized.custom_diffusion import write_customization
from leavekout.customized.customize import customize
from leavekout.customized.exemplars import exemplar_rows
from leavekout.data.encoded import EncodedData
from leavekout.data.table import texts_for
from leavekout.encoders.text import TextEncoder
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process

with compute_job(snakemake) as run:
    name, model = run.wildcards.model, Model(**run.params.model)
    table = load_table(run.input.images)
    captions = texts_for(table, "captions", "denoiser")
    base = run.input.tokenizer, run.input.text_encoder
    weights, token = customize(
        load_denoiser(model, run.input.weights, device=run.device),
        build_process(model),
        TextEncoder.load(*base, run.device),
        EncodedData.load(run.input, run.device, run.resources),
        {row: list(captions[row]) for row in exemplar_rows(table, name).nonzero()[0].tolist()},
        name,
        Customization(**run.params.training),
    )
    write_customization(run.output.folder, weights, token)
