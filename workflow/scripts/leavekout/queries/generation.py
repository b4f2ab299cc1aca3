"""Generates a model's pictures of prompts, and writes them as queries."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from leavekout.base.artifacts import save_image, save_npy, save_table
from leavekout.base.errors import InputError
from leavekout.config.experiment import Sampling
from leavekout.encoders.vae import decode_latents
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process
from leavekout.models.sampling import sample_latents, trace_latents
from leavekout.queries.loading import Queries

_TEXTS_AT_ONCE = 256
# Rounding on other hardware moves latents by less than this share of their size; latents of another
# model or another noise are further apart than their own size.
_ROUNDING = 0.05


def encode_prompts(encoder: Callable[[Sequence[str]], Tensor], prompts: Sequence[str]) -> Tensor:
    """The states [Q, T, E] of Q prompts, by a `TextEncoder`."""
    parts = range(0, len(prompts), _TEXTS_AT_ONCE)
    return torch.cat([encoder(prompts[i : i + _TEXTS_AT_ONCE]) for i in parts])


def generate(
    denoiser: Denoiser,
    vae: Any,
    text: Tensor,
    null_text: np.ndarray,
    noise_seeds: Sequence[int],
    sampling: Sampling,
    process: Process,
    *,
    batch: int,
) -> tuple[Tensor, np.ndarray]:
    """Final latents [Q, 4, h, w] and pictures uint8 [Q, H, W, 3] of Q prompts.

    Args:
        text: [Q, T, E]; null_text: [T, E]; batch: the most prompts at a time.
    """
    latents, pictures = [], []
    for rows in _batches(len(text), batch):
        seeds = [noise_seeds[row] for row in rows.tolist()]
        latents.append(sample_latents(denoiser, process, sampling, text[rows], null_text, seeds))
        pictures.append(decode_latents(vae, latents[-1]))
    return torch.cat(latents), np.concatenate(pictures)


def _batches(total: int, batch: int) -> list[np.ndarray]:
    return np.array_split(np.arange(total), -(-total // batch))


def predicted_latents(
    denoiser: Denoiser,
    queries: Queries,
    null_text: np.ndarray,
    sampling: Sampling,
    process: Process,
    *,
    timestep: int,
    batch: int,
) -> Tensor:
    """x̂_0 [Q, 4, h, w] that the sampler predicted at a timestep, as in `trace_latents`.

    The queries are generated again, with their own noise.

    Args:
        denoiser: of the model that generated them; null_text, batch: as in `generate`.

    Raises:
        InputError: what comes out is not the queries.
    """
    predicted = []
    for rows in _batches(len(queries.names), batch):
        final, x0 = trace_latents(
            denoiser,
            process,
            sampling,
            queries.text[rows],
            null_text,
            [queries.noise_seeds[row] for row in rows.tolist()],
            timestep=timestep,
            what=f"predictions at timestep {timestep}",
        )
        stored = queries.latents[rows]
        apart = (final - stored).flatten(1).norm(dim=1) / stored.flatten(1).norm(dim=1)
        for row, share in zip(rows.tolist(), apart.tolist(), strict=True):
            if not share <= _ROUNDING:
                raise InputError(
                    f"query '{queries.names[row]}': generated again, its latents differ by "
                    f"{100 * share:.0f} %, so its trajectory is unknown here; methods with a "
                    "'query_timestep' need the model and sampler that generated the queries "
                    "('without' leaves such a method out)."
                )
        predicted.append(x0)
    return torch.cat(predicted)


def write_queries(
    table: pd.DataFrame, latents: Tensor, text: Tensor, pictures: np.ndarray, output: Any
) -> None:
    """Writes a table of prompts with what was generated for them, in its order.

    Args:
        table: columns query, prompt, noise_seed; latents: [Q, 4, h, w]; text: [Q, T, E];
        pictures: uint8 [Q, H, W, 3];
        output: paths of `table`, `latents`, `text`, and `images`: a list of a picture for each
            query, or a folder for all.
    """
    images = output["images"]
    for row, (name, picture) in enumerate(zip(table["query"], pictures, strict=True)):
        save_image(images / f"{name}.png" if isinstance(images, Path) else images[row], picture)
    save_npy(output["latents"], latents.cpu().numpy())
    save_npy(output["text"], text.cpu().numpy())
    save_table(output["table"], table)
