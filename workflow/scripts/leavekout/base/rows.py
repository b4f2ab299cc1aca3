"""Arrays that jobs fill row by row over hours, and resume after a kill."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from signal import Signals
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.base.artifacts import (
    atomic,
    create_npy,
    first_not_finite,
    load_json,
    load_npy,
    save_json,
    temporary_beside,
)
from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import stop_request
from leavekout.base.job import label

logger = logging.getLogger("leavekout")
_BUFFER_BYTES = 2**28  # of results kept on the device, so that the host does not wait for it


class Rows:
    """A memory-mapped array beside an output, with a note of how many of its rows are filled.

    If there is a note of the same `identity`, filling resumes after the rows that it counts. The
    result is the same as without the interruption if `identity` covers all that a row depends on
    and rows are computed in the same batches.

    Args:
        output: the artifact that the array becomes.
        identity: what the rows depend on, from `identity_of`.
        save_seconds: time between notes.
    """

    def __init__(
        self,
        output: Path,
        dtype: Any,
        shape: tuple[int, ...],
        *,
        identity: str,
        save_seconds: float,
    ) -> None:
        self.output, self.identity, self.save_seconds = output, identity, save_seconds
        self.note = output.with_name(f"{output.stem}.partial.json")
        self.filled, file = self._filled_before(dtype, shape)
        # Each process has its own name, so that two do not write to the same file.
        self.file = file or temporary_beside(output.with_name(f"{output.stem}.partial.npy"))
        if file:
            logger.info("%s: continues at row %d of %d", label(output), self.filled, shape[0])
            self.array = np.load(self.file, mmap_mode="r+")
        else:
            with atomic(self.file) as temporary:
                self.array = create_npy(temporary, dtype, shape)

    def _filled_before(self, dtype: Any, shape: tuple[int, ...]) -> tuple[int, Path | None]:
        if not self.note.exists():
            return 0, None
        try:
            note = load_json(self.note)
            file = self.output.with_name(note["file"])
            array = load_npy(file, mmap=True)
        except InputError as error:
            logger.warning("The rows of the last attempt are not used: %s", error)
            return 0, None
        if note["identity"] != self.identity or (array.dtype, array.shape) != (dtype, shape):
            logger.warning("%s is for other inputs or settings; starting again", file)
            file.unlink()
            self.note.unlink()
            return 0, None
        return int(note["rows"]), file

    def fill(self, parts: Iterable[Tensor | np.ndarray], *, more: bool = False) -> None:
        """Fills the array from row `filled` to its end, in parts.

        Args:
            more: whether long work follows in the same job. Then a full array is noted, too.

        Raises:
            Interrupted: on SIGTERM, SIGUSR1 or SIGINT, after the filled rows were noted.
            InputError: a value is NaN or infinite.
        """
        waiting: list[Tensor] = []
        size = 0
        saved = time.monotonic()
        with stop_request() as stop:
            for part in parts:
                waiting.append(torch.as_tensor(part))
                size += waiting[-1].nbytes
                due = time.monotonic() - saved > self.save_seconds
                if stop.by or due or size > _BUFFER_BYTES:
                    self._take(waiting)
                    size = 0
                if stop.by or due:
                    self._save()
                    saved = time.monotonic()
                if stop.by and self.filled < len(self.array):
                    self._stop(stop.by)
            self._take(waiting)
            if more:
                self._save()
                if stop.by:
                    self._stop(stop.by)
        self.array.flush()

    def _save(self) -> None:
        self.array.flush()
        note = {"identity": self.identity, "rows": self.filled, "file": self.file.name}
        save_json(self.note, note)

    def _stop(self, by: Signals) -> NoReturn:
        raise Interrupted(
            f"{label(self.output)}: stopped by {by.name} after row {self.filled} of "
            f"{len(self.array)}; the rows are saved, and a retry resumes from there.",
            by,
        )

    def _take(self, waiting: list[Tensor]) -> None:
        if waiting:
            done = torch.cat(waiting).cpu().numpy()
            if (row := first_not_finite(done)) is not None:
                raise InputError(
                    f"{self.output}: row {self.filled + row} would hold NaN or infinite "
                    "values; check that image, its captions and the model's weights."
                )
            self.array[self.filled : self.filled + len(done)] = done
            self.filled += len(done)
            waiting.clear()

    def finish(self) -> None:
        """Makes the array the output."""
        if self.file.exists() or not self.output.exists():  # else another process finished it
            with atomic(self.output) as temporary:
                os.rename(self.file, temporary)
        self.note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Deletes the array when it is no longer needed."""
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def write_rows(
    output: Path,
    dtype: Any,
    shape: tuple[int, ...],
    parts: Callable[[int], Iterable[Tensor | np.ndarray]],
    *,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes an array from parts(row), which yields the values of the rows from `row` on."""
    rows = Rows(output, dtype, shape, identity=identity, save_seconds=save_seconds)
    rows.fill(parts(rows.filled))
    rows.finish()


def identity_of(*parts: Any) -> str:
    """A digest of what rows depend on.

    Args:
        parts: a folder (its files are hashed), a module (its weights), or values for JSON.
    """
    digest = hashlib.sha256()
    for part in parts:
        match part:
            case nn.Module():
                for name, tensor in part.state_dict().items():
                    digest.update(name.encode())
                    digest.update(tensor.detach().cpu().contiguous().numpy())
            case Path():
                for path in sorted(p for p in part.rglob("*") if p.is_file()):
                    digest.update(str(path.relative_to(part)).encode())
                    with open(path, "rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
            case _:
                digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()
