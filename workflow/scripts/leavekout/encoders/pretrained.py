"""What the frozen encoders share: reading a `from_pretrained` folder, and batches in order."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from leavekout.base.errors import InputError
from leavekout.base.job import progress


def from_folder(kind: Any, folder: Path, **options: Any) -> Any:
    """A model or tokenizer of a class with `from_pretrained`; downloads nothing.

    Raises:
        InputError: the folder does not hold one.
    """
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{folder}: not a folder of a {kind.__name__} ({reason}).") from error


def starts(first: int, total: int, step: int, what: str) -> Iterable[int]:
    """The first rows of batches, while the terminal hears how far the work is."""
    rows = range(first, total, step)
    return progress(rows, what, total=len(rows))
