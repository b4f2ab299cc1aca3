"""Queries: which prompts, which noise, and what a model makes of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from leavekout.config.experiment import Evaluation, Model, Sampling
from leavekout.customized.tokens import with_token, without_token
from leavekout.data.coco import read_image
from leavekout.encoders.pretrained import TextEncoder, decode_latents, encode_images, load_vae
from leavekout.errors import InputError
from leavekout.models.loss import query_losses
from leavekout.models.sampling import sample_latents
from leavekout.models.unet import build_scheduler, latent_shape, load_unet, strided_timesteps
from leavekout.noise import Domain, words
from leavekout.runtime.artifacts import load_npy, load_table, save_image, save_npy, save_table

_PROMPTS_AT_ONCE = 1024
_TEXTS_AT_ONCE = 256


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
    files: Mapping[str, Any],
    output: Mapping[str, Any],
    model: Model,
    sampling: Sampling,
    device: torch.device,
    batch: int,
) -> None:
    """Generates the pictures of a table of prompts, and writes all that belongs to them.

    Where the table has a column `model`, each customized model generates its own queries.

    Args:
        files: paths of `weights`, `vae`, `tokenizer`, `text_encoder` and `null_text`; of customized
            models also `changes`, a file for each in the table's order.
        output: paths of `table`, `latents` [Q, 4, h, w], `text` [Q, T, E], and `images`: a list
            of a picture for each query in the table's order, or a folder for all; see also
            `_write_text`.
    """
    encoder = TextEncoder.load(Path(files["tokenizer"]), Path(files["text_encoder"]), device)
    vae, null_text = load_vae(Path(files["vae"]), device), load_npy(Path(files["null_text"]))
    text = _write_text(table, encoder, output)
    latents: dict[int, Tensor] = {}
    for weights, rows in _by_model(table, files):
        unet = load_unet(model.unet, weights, device=device)
        for some in np.array_split(rows, -(-len(rows) // batch)):  # every draw is its query's own
            found = sample_latents(
                unet,
                sampling,
                model.noise_schedule,
                text[some],
                null_text,
                table["noise_seed"].iloc[some].tolist(),
                shape=latent_shape(unet),
            )
            latents.update(zip(some.tolist(), found, strict=True))
            _save_pictures(table["query"].iloc[some], decode_latents(vae, found), output)
    ordered = torch.stack([latents[row] for row in range(len(table))])
    save_npy(Path(output["latents"]), ordered.cpu().numpy())
    save_table(Path(output["table"]), table)


def write_given_queries(
    table: pd.DataFrame,
    pictures: Sequence[Path],
    size: int,
    files: Mapping[str, Any],
    output: Mapping[str, Any],
    device: torch.device,
    batch: int,
) -> None:
    """Takes pictures that were generated elsewhere for queries, as `write_queries` writes them.

    Their latents are the VAE's, scaled as those of all images are.

    Args:
        pictures: of the table's queries; size: pixels of a side, to which they are brought.
    """
    vae = load_vae(Path(files["vae"]), device)
    encoder = TextEncoder.load(Path(files["tokenizer"]), Path(files["text_encoder"]), device)
    _write_text(table, encoder, output)
    latents = []
    for start in range(0, len(table), batch):
        pixels = np.stack([read_image(path, size) for path in pictures[start : start + batch]])
        latents.append(encode_images(vae, pixels, device))
        _save_pictures(table["query"].iloc[start : start + batch], pixels, output)
    save_npy(Path(output["latents"]), torch.cat(latents).cpu().numpy())
    save_table(Path(output["table"]), table)


def _by_model(
    table: pd.DataFrame, files: Mapping[str, Any]
) -> Iterator[tuple[list[str], np.ndarray]]:
    """For each model its files of weights, and the rows of its queries."""
    if "model" not in table:
        yield [files["weights"]], np.arange(len(table))
        return
    for name, changes in zip(table["model"].unique(), files["changes"], strict=True):
        yield [files["weights"], changes], np.flatnonzero(table["model"] == name)


def _write_text(table: pd.DataFrame, encoder: TextEncoder, output: Mapping[str, Any]) -> Tensor:
    """Writes and returns the prompts' states [Q, T, E].

    Of customized models, prompts without V* go to `text_without_token`.
    """

    def encoded(texts: Sequence[str]) -> Tensor:
        parts = range(0, len(texts), _TEXTS_AT_ONCE)
        return torch.cat([encoder(texts[i : i + _TEXTS_AT_ONCE]) for i in parts])

    prompts = table["prompt"].tolist()
    if "model" in table:
        without = encoded([without_token(prompt) for prompt in prompts])
        save_npy(Path(output["text_without_token"]), without.cpu().numpy())
        prompts = [with_token(p, m) for p, m in zip(prompts, table["model"], strict=True)]
    text = encoded(prompts)
    save_npy(Path(output["text"]), text.cpu().numpy())
    return text


def _save_pictures(names: pd.Series, pictures: np.ndarray, output: Mapping[str, Any]) -> None:
    images = output["images"]
    for name, picture, row in zip(names, pictures, names.index, strict=True):
        path = f"{images}/{name}.png" if isinstance(images, str) else images[row]
        save_image(Path(path), picture)


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
