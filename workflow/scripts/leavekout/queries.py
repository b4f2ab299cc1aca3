"""Queries: which prompts, which noise, and what a model makes of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from leavekout.artifacts import load_npy, load_table, save_image, save_npy, save_table
from leavekout.encoders import TextEncoder, decode_latents, load_vae
from leavekout.errors import InputError
from leavekout.loss import query_losses
from leavekout.noise import Domain, words
from leavekout.sampling import sample_latents
from leavekout.schema import Evaluation, Model, Sampling
from leavekout.unet import build_scheduler, latent_shape, load_unet, strided_timesteps

_PROMPTS_AT_ONCE = 1024


def choose_queries(
    test: Sequence[str], tuning: Sequence[str], prompts: Sequence[str], seed: int
) -> pd.DataFrame:
    """Draws a prompt and a noise seed for each query: columns query, prompt, noise_seed.

    Prompts are drawn without replacement: test queries from the front of a random order, tuning
    queries from its back, so that asking for more queries never turns a tuning prompt into a
    test prompt. The noise seed also keys every later draw that belongs to the query.
    """
    count = len(test) + len(tuning)
    if count > len(prompts):
        raise InputError(
            f"queries: {count} queries (test and tuning) need as many prompts, but "
            f"'dataset.prompt_annotations' has {len(prompts)} distinct captions that are no "
            "training captions."
        )
    drawn = words(seed, Domain.PROMPTS, torch.arange(len(prompts)))
    ranked = torch.argsort(drawn[0], stable=True).tolist()
    order = ranked[: len(test)] + ranked[::-1][: len(tuning)]
    return pd.DataFrame({
        "query": [*test, *tuning],
        "prompt": [prompts[i] for i in order],
        "noise_seed": [int(drawn[1][i]) for i in order],
    })  # fmt: skip


def choose_related(
    queries: pd.DataFrame,
    prompts: Sequence[str],
    encode: Callable[[Sequence[str]], np.ndarray],
    *,
    related: int,
    seed: int,
) -> pd.DataFrame:
    """The prompts nearest to each query's own: a table as `choose_queries` makes it.

    The related prompts of `q000` are called `q000-r00`, `q000-r01`, … and are no query's prompt.

    Args:
        queries: by query name, with a column `prompt`.
        encode: B captions → features [B, D] of unit length; nearness is their cosine similarity.
        related: number of prompts for each query.
    """
    own = queries["prompt"].tolist()
    others = [prompt for prompt in prompts if prompt not in set(own)]
    if related > len(others):
        raise InputError(
            f"forgetting.related: {related} related prompts of each query are more than the "
            f"{len(others)} prompts that are no query's."
        )
    parts = range(0, len(others), _PROMPTS_AT_ONCE)
    features = np.concatenate([encode(others[i : i + _PROMPTS_AT_ONCE]) for i in parts])
    nearest = np.argsort(-(encode(own) @ features.T), axis=1, kind="stable")[:, :related]
    count = len(own) * related
    return pd.DataFrame({
        "query": [f"{name}-r{i:02d}" for name in queries.index for i in range(related)],
        "prompt": [others[i] for i in nearest.ravel()],
        "noise_seed": words(seed, Domain.PROMPTS, torch.arange(count), 1)[0].tolist(),
    })  # fmt: skip


def write_queries(
    table: pd.DataFrame,
    files: Mapping[str, str],
    output: Mapping[str, Any],
    model: Model,
    sampling: Sampling,
    device: torch.device,
    batch: int,
) -> None:
    """Generates the pictures of a table of prompts, and writes all that belongs to them.

    Args:
        files: paths of `weights`, `vae`, `tokenizer`, `text_encoder` and `null_text`.
        output: paths of `table`, `latents` [Q, 4, h, w], `text` [Q, T, E], and `images`: a list
            of a picture for each, or a folder for all.
    """
    encoder = TextEncoder.load(Path(files["tokenizer"]), Path(files["text_encoder"]), device)
    unet = load_unet(model.unet, Path(files["weights"]), device=device)
    vae, null_text = load_vae(Path(files["vae"]), device), load_npy(Path(files["null_text"]))
    images = output["images"]
    latents, texts = [], []
    for start in range(0, len(table), batch):  # every draw belongs to its query, not to the batch
        part = table[start : start + batch]
        texts.append(encoder(part["prompt"].tolist()))
        latents.append(
            sample_latents(
                unet,
                sampling,
                model.noise_schedule,
                texts[-1],
                null_text,
                part["noise_seed"].tolist(),
                shape=latent_shape(unet),
            )
        )
        pictures = decode_latents(vae, latents[-1])
        for i, (name, picture) in enumerate(zip(part["query"], pictures, strict=True), start):
            path = f"{images}/{name}.png" if isinstance(images, str) else images[i]
            save_image(Path(path), picture)
    save_npy(Path(output["latents"]), torch.cat(latents).cpu().numpy())
    save_npy(Path(output["text"]), torch.cat(texts).cpu().numpy())
    save_table(Path(output["table"]), table)


@dataclass
class Queries:
    """Q queries as the source model generated them."""

    names: list[str]
    noise_seeds: list[int]
    latents: Tensor  # [Q, 4, h, w], the sampler's final latents
    text: Tensor  # [Q, T, E]
    rows: list[int]  # of the queries in the arrays over all queries

    @classmethod
    def load(
        cls, files: Mapping[str, str], names: Sequence[str], device: torch.device
    ) -> "Queries":
        """The queries of these names, in this order, from `queries`, `latents` and `text`."""
        table = load_table(Path(files["queries"])).reset_index().set_index("query")
        chosen = table.loc[list(names)]
        rows = chosen["index"].tolist()
        return cls(
            names=list(names),
            noise_seeds=chosen["noise_seed"].tolist(),
            latents=torch.from_numpy(load_npy(Path(files["latents"]), mmap=True)[rows]).to(device),
            text=torch.from_numpy(load_npy(Path(files["text"]), mmap=True)[rows]).to(device),
            rows=rows,
        )


def losses_on_queries(
    unet: nn.Module,
    model: Model,
    evaluation: Evaluation,
    queries: Queries,
    *,
    batch: int,
) -> np.ndarray:
    """L(ẑ, θ) of Q queries at the evaluation's timesteps: float64 [Q, T']."""
    scheduler = build_scheduler(model.noise_schedule)
    return query_losses(
        unet,
        scheduler,
        queries.latents,
        queries.text,
        torch.tensor(queries.noise_seeds, dtype=torch.int64),
        timesteps=strided_timesteps(scheduler, evaluation.timestep_stride),
        seed=evaluation.seed,
        batch=batch,
    )
