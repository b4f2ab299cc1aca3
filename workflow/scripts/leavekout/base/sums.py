"""Sums over samples that jobs add up over hours, and resume after a kill."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import stop_request
from leavekout.base.job import label
from leavekout.base.tensors import load_tensors, save_tensors

logger = logging.getLogger("leavekout")


class Batch(Protocol):
    """A batch of samples."""

    def __len__(self) -> int:
        """The number of samples."""


B = TypeVar("B", bound=Batch)


class Sums:
    """Named sums in float64, with the number of samples that were added.

    `notes` are further things that adding up finds, as values for JSON.
    """

    def __init__(self) -> None:
        self.totals: dict[str, Tensor] = {}
        self.notes: dict[str, Any] = {}
        self.count = 0

    def add(self, name: str, value: Tensor) -> None:
        """Adds a value to the sum of a name."""
        if name in self.totals:
            self.totals[name] += value
        else:
            self.totals[name] = value.double()

    def counted(self, batches: Iterable[B]) -> Iterator[B]:
        """Yields batches, and counts each after the caller has added it."""
        for batch in batches:
            yield batch
            self.count += len(batch)


class SavedSums(Sums):
    """Sums that are saved beside an output. Those of an earlier attempt are restored at the start.

    The result is the same as without the interruption if `identity` covers all that the sums depend
    on, and batches are the same.

    Args:
        output: the artifact that is made of the sums.
        identity: from `identity_of`.
        save_seconds: time between states.
    """

    def __init__(
        self, output: Path, device: torch.device, *, identity: str, save_seconds: float
    ) -> None:
        super().__init__()
        self.output, self.identity, self.save_seconds = output, identity, save_seconds
        self.state = output.with_name(f"{output.stem}.state.safetensors")
        if not self.state.exists():
            return
        try:
            totals, notes = load_tensors(self.state)
        except InputError as error:
            logger.warning("The saved sums are not used: %s", error)
            return
        if notes["identity"] != identity:
            logger.warning("%s is for other inputs or settings; starting again", self.state)
            return
        self.totals = {name: total.to(device) for name, total in totals.items()}
        self.notes, self.count = notes["notes"], notes["count"]
        logger.info("%s: continues after %d samples", label(output), self.count)

    def counted(self, batches: Iterable[B]) -> Iterator[B]:
        """Yields batches, counts each after the caller has added it, and saves regularly.

        Raises:
            Interrupted: on SIGTERM, SIGUSR1 or SIGINT, after the sums were saved.
        """
        saved = time.monotonic()
        with stop_request() as stop:
            for batch in batches:
                yield batch
                self.count += len(batch)
                if stop.by or time.monotonic() - saved > self.save_seconds:
                    self._save()
                    saved = time.monotonic()
                if stop.by:
                    raise Interrupted(
                        f"{label(self.output)}: stopped by {stop.by.name}; the sums are saved, and "
                        "a retry resumes from there.",
                        stop.by,
                    )

    def _save(self) -> None:
        about = {"identity": self.identity, "notes": self.notes, "count": self.count}
        save_tensors(self.state, self.totals, about)

    def discard(self) -> None:
        """Deletes the state, after the output was written."""
        self.state.unlink(missing_ok=True)
