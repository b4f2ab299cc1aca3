"""Generates the queries."""

from pathlib import Path
from typing import TYPE_CHECKING

from leavekout.artifacts import load_npy, load_table, save_image, save_npy, save_table
from leavekout.coco import prompts
from leavekout.encoders import TextEncoder, decode_latents, load_vae
from leavekout.job import compute_job
from leavekout.queries import choose_queries
from leavekout.sampling import sample_latents
from leavekout.schema import Model, Sampling
from leavekout.unet import latent_shape, load_unet

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    captions = load_table(Path(snakemake.input.images))["captions"]
    known = {caption for texts in captions for caption in texts}
    held_out = [p for p in prompts(Path(snakemake.input.prompts)) if p not in known]
    table = choose_queries(
        snakemake.params.test, snakemake.params.tuning, held_out, snakemake.params.seed
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
    pictures = decode_latents(load_vae(Path(snakemake.input.vae), device), latents)
    for path, picture in zip(snakemake.output.images, pictures, strict=True):
        save_image(Path(path), picture)
    save_npy(Path(snakemake.output.latents), latents.cpu().numpy())
    save_npy(Path(snakemake.output.text), text.cpu().numpy())
    save_table(Path(snakemake.output.table), table)
