"""Tabulates whether the queries' pictures show their prompts, and how near training images are."""

import numpy as np
import torch

from leavekout.base.artifacts import load_image, load_npy, load_table, save_csv
from leavekout.base.job import compute_job
from leavekout.config.experiment import Model
from leavekout.contract.outcome import Outcome
from leavekout.data.table import texts_for
from leavekout.encoders.features import load_image_encoder, load_text_encoder
from leavekout.leave_k_out.config import Evaluation
from leavekout.leave_k_out.evaluation import losses_on_queries
from leavekout.leave_k_out.statistics.pictures import (
    COMPARED,
    WITH_LOSSES,
    kinds,
    nearest_images,
    prompts_below,
    share_below,
    small,
    spread_rows,
    without_contrast,
)
from leavekout.models.denoiser import load_denoiser
from leavekout.queries.loading import Queries

with compute_job(snakemake) as run:
    files, params, device = run.input, run.params, run.device
    table = load_table(files.query_table).set_index("query").loc[list(params.names)].reset_index()
    pictures = np.stack([load_image(path) for path in files.pictures])
    prompts = list(dict.fromkeys(texts_for(table, "prompt", "encoders")))
    own = np.array([prompts.index(text) for text in texts_for(table, "prompt", "encoders")])
    below = prompts_below(
        load_image_encoder(files.encoder, device)(pictures),
        load_text_encoder(files.encoder, device)(prompts),
        own,
    )
    pixels, images = load_npy(files.pixels, mmap=True), load_table(files.images)
    parts = np.array_split(pixels, -(-len(pixels) // COMPARED))
    vectors = np.concatenate([small(part) for part in parts])
    rows = spread_rows(len(vectors), COMPARED)
    found, closer = [], []
    for some, all_images in (
        (small(pictures), vectors),
        (without_contrast(small(pictures)), without_contrast(vectors)),
    ):
        nearest, distance = nearest_images(some, all_images)
        _, apart = nearest_images(all_images[rows], all_images, rows=rows)
        found.append(nearest)
        closer.append(share_below(distance, apart))
    shown = spread_rows(len(vectors), WITH_LOSSES)
    latents, text = (load_npy(files[name], mmap=True) for name in ("latents", "text"))
    training = losses_on_queries(
        load_denoiser(Model(**params.model), files.weights, device=device),
        Model(**params.model),
        Evaluation(**params.evaluation),
        Queries(
            names=[str(row) for row in shown],
            noise_seeds=images["image_id"].iloc[shown].tolist(),
            latents=torch.from_numpy(latents[shown, 0]).float().to(device),
            text=torch.from_numpy(text[shown, 0]).float().to(device),
            rows=shown.tolist(),
        ),
        batch=run.resources.batch,
    )
    outcome = Outcome.load(files.outcome).select(params.names)
    save_csv(
        run.output.table,
        table[["query", "prompt"]].assign(
            prompts=len(prompts),
            prompts_below=below,
            nearest_image=images["image_id"].to_numpy()[found[0]],
            closer_images=closer[0],
            closer_shapes=closer[1],
            kind=kinds(*closer),
            loss=outcome.losses.mean(axis=1),
            training_loss=training.mean(),
        ),
    )
