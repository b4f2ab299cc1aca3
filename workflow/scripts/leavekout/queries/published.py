"""Imports queries that others published."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from leavekout.base.artifacts import load_npy, reading
from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, random_uint32

logger = logging.getLogger("leavekout")
_LIKE = 0.02  # mean difference of two pictures that are the same but for rounding


def read_prompts(path: Path) -> list[str]:
    """The prompts of a text file, one in each line.

    Raises:
        InputError: it is not text, or a line but the last is empty.
    """
    with reading(path, "text file in UTF-8", UnicodeDecodeError, advice="save it as UTF-8"):
        prompts = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    while prompts and not prompts[-1]:
        prompts.pop()
    if "" in prompts:
        raise InputError(
            f"{path}: line {prompts.index('') + 1} is empty, and each line is a query's prompt."
        )
    return prompts


def published_table(
    path: Path, test: Sequence[str], tuning: Sequence[str], teacher: Sequence[str], seed: int
) -> pd.DataFrame:
    """The queries of a text file of prompts: columns query, prompt, noise_seed and line (from 0).

    Test queries are the first lines, tuning and teacher queries the last.

    Raises:
        InputError: there are too few lines, or a prompt is of a test query and of another one.
    """
    prompts = read_prompts(path)
    needed = len(test) + len(tuning) + len(teacher)
    if needed > len(prompts):
        raise InputError(
            f"{path}: has {len(prompts)} prompts, but 'queries' asks for {needed} (test, tuning "
            "and teacher); lower these numbers."
        )
    lines = [*range(len(test)), *range(len(prompts))[::-1][: needed - len(test)]]
    seeds = random_uint32(seed, Domain.PROMPTS, torch.arange(len(prompts)))[1].tolist()
    table = pd.DataFrame(
        {
            "query": [*test, *tuning, *teacher],
            "prompt": [prompts[line] for line in lines],
            "noise_seed": [seeds[line] for line in lines],
            "line": lines,
        }
    )
    first, others = table["prompt"][: len(test)], table["prompt"][len(test) :]
    if common := sorted({*first} & {*others}):
        raise InputError(
            f"{path}: {len(common)} prompts of test queries are prompts of tuning or teacher "
            f"queries, too, the first '{common[0]}'; lower 'queries.tuning' or 'queries.teacher'."
        )
    if twice := [text for text, count in Counter(table["prompt"]).items() if count > 1]:
        logger.warning("%d prompts are there more than once, such as '%s'", len(twice), twice[0])
    return table


def read_latents(path: Path, lines: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """The latents of some lines: float32 [Q, 4, h, w].

    Raises:
        InputError: another shape, too few rows, or values that are not finite.
    """
    array = load_npy(path, mmap=True)
    needed = max(lines) + 1
    if array.shape[1:] != shape or len(array) < needed:
        raise InputError(
            f"{path}: latents of shape {array.shape}, but [Q, {', '.join(map(str, shape))}] is "
            f"needed with at least {needed} queries."
        )
    latents = np.asarray(array[list(lines)], np.float32)
    for line, latent in zip(lines, latents, strict=True):
        if not np.isfinite(latent).all():
            raise InputError(f"{path}: row {line} has values that are NaN or infinite.")
    return latents


def read_pictures(folder: Path, lines: Sequence[int], size: int) -> np.ndarray:
    """The pictures `<line>.png` of some lines: uint8 [Q, size, size, 3].

    Raises:
        InputError: one is missing, is no picture, or has another size.
    """
    pictures = []
    for line in lines:
        path = folder / f"{line}.png"
        with reading(path, "picture", Exception, advice="fetch it again"), Image.open(path) as file:
            pictures.append(np.asarray(file.convert("RGB")))
        if pictures[-1].shape != (size, size, 3):
            raise InputError(
                f"{path}: has {pictures[-1].shape[1]} x {pictures[-1].shape[0]} pixels, but "
                f"'dataset.image_size' is {size}."
            )
    return np.stack(pictures)


def require_decoded(
    decoded: np.ndarray, pictures: np.ndarray, lines: Sequence[int], folder: Path
) -> None:
    """Rejects pictures that are not what the VAE makes of the queries' latents.

    Args:
        decoded, pictures: uint8 [Q, H, W, 3]; folder: of the pictures.
    """
    for line, ours, theirs in zip(lines, decoded, pictures, strict=True):
        distance = float(np.abs(ours.astype(np.float32) - theirs).mean()) / 255
        if not distance < _LIKE:
            raise InputError(
                f"{folder / f'{line}.png'}: is not what the VAE makes of row {line} of the latents "
                f"(mean difference {distance:.2f} of the range); the order or the scale differs."
            )
