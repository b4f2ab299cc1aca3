"""Imports published queries: their latents, their pictures, or both."""

from pathlib import Path

import numpy as np
import torch

from leavekout.base.artifacts import load_table
from leavekout.base.job import compute_job
from leavekout.config.model import Model
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import decode_latents, encode_images, load_vae
from leavekout.models.denoiser import skeleton
from leavekout.queries.generation import encode_prompts, write_queries
from leavekout.queries.published import read_latents, read_pictures, require_decoded

with compute_job(snakemake) as run:
    files, params = run.input, run.params
    table = load_table(files.chosen).set_index("query").loc[list(params.names)].reset_index()
    lines = table.pop("line").tolist()
    encoder = TextEncoder.load(files.tokenizer, files.text_encoder, run.device)
    encoder.report_cut(table["prompt"].tolist(), "prompts")
    vae, batch = load_vae(files.vae, run.device), run.resources.batch

    def decode(latents: np.ndarray) -> np.ndarray:
        """Latents [Q, 4, h, w] → pictures uint8 [Q, H, W, 3], in batches."""
        parts = torch.from_numpy(latents).to(run.device).split(batch)
        return np.concatenate([decode_latents(vae, part) for part in parts])

    latents = pictures = None
    if params.pictures:
        pictures = read_pictures(Path(params.pictures), lines, params.image_size)
    if params.latents:
        shape = skeleton(Model(**params.model)).latent_shape
        latents = read_latents(Path(params.latents), lines, shape)
        decoded = decode(latents)
        if pictures is not None:
            require_decoded(decoded, pictures, lines, Path(params.pictures))
        pictures = decoded if pictures is None else pictures
        states = torch.from_numpy(latents)
    else:
        assert pictures is not None  # the configuration has one of the two
        starts = range(0, len(pictures), batch)
        states = torch.cat(
            [encode_images(vae, pictures[i : i + batch], run.device).cpu() for i in starts]
        )
    text = encode_prompts(encoder, table["prompt"].tolist())
    write_queries(table, states, text, pictures, run.output)
