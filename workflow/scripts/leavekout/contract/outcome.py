"""The outcome of a model: what it makes of queries, and what model it is, in one file.

Whatever process makes a model writes its outcome before it ends. Measures need nothing else, so no
weights have to be kept, and a measure that is added later trains nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from leavekout.base.artifacts import atomic, provenance
from leavekout.base.errors import InputError

_ARRAYS = ("losses", "latents", "pictures", "removed")


@dataclass(frozen=True)
class Outcome:
    """What one model makes of Q queries.

    Args:
        about: what the model is: of a retrained one the fields of `removal.Removal`.
        queries: the names of the Q queries.
        losses: float64 [Q, T'], L(ẑ, θ) at each evaluated timestep.
        latents: float32 [Q, 4, h, w], the sampler's final latents from the query's own noise.
        pictures: uint8 [Q, H, W, 3], those latents decoded.
        removed: int64 [K], rows of the training set that the model went without.
    """

    about: Mapping[str, Any]
    queries: Sequence[str]
    losses: np.ndarray
    latents: np.ndarray
    pictures: np.ndarray
    removed: np.ndarray

    def save(self, path: Path) -> None:
        """Writes the outcome as safetensors, what the model is in the header."""
        content = {"about": dict(self.about), "queries": list(self.queries)}
        notes = {"leavekout": json.dumps({**provenance(), **content})}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        with atomic(path) as temporary:
            try:
                save_file(arrays, temporary, notes)
            except SafetensorError as error:  # of a full disk, say; it hides the OSError
                raise InputError(f"{path}: cannot be written ({error}).") from error

    @classmethod
    def load(cls, path: Path) -> "Outcome":
        """Reads an outcome; raises InputError if it is missing, truncated or something else."""
        try:
            with safe_open(path, framework="np") as file:
                notes = json.loads((file.metadata() or {}).get("leavekout", "{}"))
                arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            return cls(notes["about"], notes["queries"], **arrays)
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file.") from None
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{path}: not a whole outcome ({error}); delete it.") from error

    def select(self, names: Sequence[str]) -> "Outcome":
        """The same for some of the queries, in the order of `names`."""
        places = {name: place for place, name in enumerate(self.queries)}
        rows = [places[name] for name in names]
        return Outcome(
            self.about,
            list(names),
            self.losses[rows],
            self.latents[rows],
            self.pictures[rows],
            self.removed,
        )


def combined(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcomes of one model on several sets of queries as one."""
    first = outcomes[0]
    losses, latents, pictures = (
        np.concatenate([getattr(outcome, name) for outcome in outcomes])
        for name in ("losses", "latents", "pictures")
    )
    names = [name for outcome in outcomes for name in outcome.queries]
    return Outcome(first.about, names, losses, latents, pictures, first.removed)
