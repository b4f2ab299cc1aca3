"""Shared by the frozen encoders: loads `from_pretrained` folders, and counts batches."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
