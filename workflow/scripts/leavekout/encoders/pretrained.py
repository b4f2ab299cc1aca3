"""Shared by the encoders: loads `from_pretrained` folders, and makes batches."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from leavekout.base.errors import InputError
from leavekout.base.job import progress


def from_folder(kind: Any, folder: Path, **options: Any) -> Any:
    """Loads a model or tokenizer of a class with `from_pretrained`; downloads nothing.

    Raises:
        InputError: the folder does not contain one.
    """
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{folder}: not a folder of a {kind.__name__} ({reason}).") from error


def starts(first: int, total: int, step: int, what: str) -> Iterable[int]:
    """The first rows of batches of `step` rows, with logs of the progress."""
    rows = range(first, total, step)
    return progress(rows, what, total=len(rows))


def steps_of(images: int, batch_size: int, epochs: int) -> int:
    """Steps of a training whose epochs leave out the last, incomplete batch."""
    return epochs * max(1, images // batch_size)


def shuffled_batches(
    images: int, batch_size: int, epochs: int, what: str, generator: torch.Generator | None = None
) -> Iterator[torch.Tensor]:
    """Yields the rows of each step's batch; each epoch has a new order."""
    steps = steps_of(images, batch_size, epochs)
    for step in progress(range(steps), what, total=steps):
        start = step % (steps // epochs) * batch_size
        if start == 0:
            order = torch.randperm(images, generator=generator)
        yield order[start : start + batch_size]
