"""Fetches one published encoder."""

import torch

from leavekout.base.job import job
from leavekout.encoders.clip import ClipImageEncoder
from leavekout.encoders.features import load_image_encoder
from leavekout.encoders.hub import fetch_model
from leavekout.encoders.text import load_text_tower, load_tokenizer
from leavekout.encoders.vae import load_vae

with job(snakemake) as run:
    encoder, folder = run.wildcards.encoder, run.output.folder
    endpoint, weights = run.resources.endpoint or None, encoder != "tokenizer"
    fetch_model(**run.params.model, target=folder, endpoint=endpoint, weights=weights)
    # Some are first used after the source model is trained, so broken ones are refused here.
    match encoder:
        case "vae":
            load_vae(folder, torch.device("cpu"))
        case "text_encoder":
            load_text_tower(folder, torch.device("cpu"))
        case "tokenizer":
            load_tokenizer(folder)
        case "clip":
            ClipImageEncoder.load(folder, torch.device("cpu"))
        case "denoiser":
            pass  # the next job reads it, and knows the model
        case _:
            load_image_encoder(folder, torch.device("cpu"))
