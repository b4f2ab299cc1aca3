"""Generates the queries of customized models, or takes those that were generated elsewhere."""

from pathlib import Path

import numpy as np
import torch

from leavekout.base.artifacts import load_npy, save_npy
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model, Sampling
from leavekout.customized.collection import given_queries, prompts_of_models, with_texts
from leavekout.data.coco import read_image
from leavekout.data.table import texts_for
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import encode_images, load_vae
from leavekout.models.denoiser import load_denoiser
from leavekout.models.process import build_process
from leavekout.queries.generation import encode_prompts, generate, write_queries

with compute_job(snakemake) as run:
    files, params, batch = run.input, run.params, run.resources.batch
    encoder = TextEncoder.load(files.tokenizer, files.text_encoder, run.device)
    vae = load_vae(files.vae, run.device)
    root = Path(params.root)
    if params.given:
        table, paths = given_queries(root, params.queries)
    else:
        table = prompts_of_models(root, params.queries, params.seed)
    table = with_texts(table)
    text = encode_prompts(encoder, texts_for(table, "prompt", "denoiser").tolist())
    if params.given:  # their latents are the VAE's, scaled as those of all images are
        pictures = np.stack([read_image(path, params.size, params.background) for path in paths])
        parts = range(0, len(pictures), batch)
        latents = torch.cat(
            [encode_images(vae, pictures[i : i + batch], run.device) for i in parts]
        )
    else:
        model = Model(**params.model)
        found: dict[int, tuple] = {}
        for name, changes in zip(table["model"].unique(), files.changes, strict=True):
            rows = np.flatnonzero(table["model"] == name)
            generated = generate(
                load_denoiser(model, [files.weights, changes], device=run.device),
                vae,
                text[rows],
                load_npy(files.null_text),
                table["noise_seed"].iloc[rows].tolist(),
                Sampling(**params.sampling),
                build_process(model),
                batch=batch,
            )
            found.update(zip(rows.tolist(), zip(*generated, strict=True), strict=True))
        latents = torch.stack([found[row][0] for row in range(len(table))])
        pictures = np.stack([found[row][1] for row in range(len(table))])
    write_queries(table, latents, text, pictures, run.output)
    without = encode_prompts(encoder, texts_for(table, "prompt", "encoders").tolist())
    save_npy(run.output.text_without_token, without.cpu().numpy())
