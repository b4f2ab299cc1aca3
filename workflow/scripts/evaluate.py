"""Measures a leave-K-out model on its queries: ΔL, MSE and CLIP similarity."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leavekout.config.experiment import Evaluation, Model, Sampling
from leavekout.encoders.pretrained import ClipImageEncoder, decode_latents, load_vae
from leavekout.measures.evaluation import measures
from leavekout.models.sampling import sample_latents
from leavekout.models.unet import latent_shape, load_unet
from leavekout.queries.queries import Queries, losses_on_queries
from leavekout.runtime.artifacts import load_image, load_npy, save_image, save_json
from leavekout.runtime.job import compute_job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with compute_job(snakemake) as device:
    model = Model(**snakemake.params.model)
    queries = Queries.load(snakemake.input, snakemake.params.names, device)
    unet = load_unet(model.unet, snakemake.input.weights, device=device)
    losses = losses_on_queries(
        unet,
        model,
        Evaluation(**snakemake.params.evaluation),
        queries,
        batch=snakemake.resources.batch,
    )
    latents = sample_latents(
        unet,
        Sampling(**snakemake.params.sampling),
        model.noise_schedule,
        queries.text,
        load_npy(Path(snakemake.input.null_text)),
        queries.noise_seeds,
        shape=latent_shape(unet),
    )
    regenerated = decode_latents(load_vae(Path(snakemake.input.vae), device), latents)
    folder = Path(snakemake.input.get("pictures") or Path(snakemake.input.picture).parent)
    generated = np.stack([load_image(folder / f"{name}.png") for name in queries.names])
    rows = measures(
        queries.names,
        losses=losses,
        source_losses=load_npy(Path(snakemake.input.losses))[queries.rows],
        regenerated=regenerated,
        generated=generated,
        clip=ClipImageEncoder.load(Path(snakemake.input.clip), device),
    )
    # The pictures stand side by side in one file, in the order of the queries in the JSON.
    save_image(Path(snakemake.output.regenerated), np.concatenate(regenerated, axis=1))
    k = snakemake.wildcards.get("k")
    about = {"method": snakemake.wildcards.method, "k": int(k) if k else None}
    save_json(
        Path(snakemake.output.measures), {**about, "seed": snakemake.params.seed, "queries": rows}
    )
