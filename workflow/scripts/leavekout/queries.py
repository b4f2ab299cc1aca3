"""Queries: which prompts, which noise, and what a model makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from leavekout.artifacts import load_npy, load_table
from leavekout.errors import InputError
from leavekout.loss import query_losses
from leavekout.noise import Domain, words
from leavekout.schema import Evaluation, Model
from leavekout.unet import build_scheduler, strided_timesteps


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
            latents=torch.from_numpy(load_npy(Path(files["latents"]))[rows]).to(device),
            text=torch.from_numpy(load_npy(Path(files["text"]))[rows]).to(device),
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
