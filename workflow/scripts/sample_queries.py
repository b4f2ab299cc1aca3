"""Generates the queries, and measures the source model's loss on each."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy, save_image, save_npy, save_table
from leavekout.coco import prompts
from leavekout.encoders import TextEncoder, decode_latents, load_vae
from leavekout.job import compute_job
from leavekout.queries import choose_queries, losses_on_queries
from leavekout.sampling import sample_latents
from leavekout.schema import Evaluation, Model, Sampling
from leavekout.unet import latent_shape, load_unet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake.log, snakemake.threads) as device:
    model = Model(**snakemake.params.model)
    table = choose_queries(
        snakemake.params.names, prompts(Path(snakemake.input.prompts)), snakemake.params.seed
    )
    encoder = TextEncoder.load(
        Path(snakemake.input.tokenizer), Path(snakemake.input.text_encoder), device
    )
    text = encoder(table["prompt"].tolist())
    unet = load_unet(model.unet, Path(snakemake.input.weights), device=device)
    latents = sample_latents(
        unet,
        Sampling(**snakemake.params.sampling),
        model.noise_schedule,
        text,
        load_npy(Path(snakemake.input.null_text)),
        table["noise_seed"].tolist(),
        shape=latent_shape(unet),
    )
    losses = losses_on_queries(
        unet,
        model,
        Evaluation(**snakemake.params.evaluation),
        latents,
        text,
        table["noise_seed"].tolist(),
        batch=snakemake.resources.batch,
    )
    pictures = decode_latents(load_vae(Path(snakemake.input.vae), device), latents)
    for path, picture in zip(snakemake.output.images, pictures, strict=True):
        save_image(Path(path), picture)
    save_npy(Path(snakemake.output.latents), latents.cpu().numpy())
    save_npy(Path(snakemake.output.text), text.cpu().numpy())
    save_npy(Path(snakemake.output.losses), losses)
    save_table(Path(snakemake.output.table), table)
