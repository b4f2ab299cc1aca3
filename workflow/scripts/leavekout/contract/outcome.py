"""The outcome of a model: its losses and pictures for some queries, and a description of the model.

The job that trains a model also writes its outcome. Measures read only outcomes. So weights need
not be kept, and adding a measure retrains nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from leavekout.base.artifacts import atomic, provenance, reading

_ARRAYS = ("losses", "latents", "pictures", "removed")


@dataclass(frozen=True)
class Outcome:
    """What one model makes of Q queries.

    Args:
        about: which model it is; for a retrained one, the fields of `removal.Removal`.
        queries: names of the Q queries.
        losses: float64 [Q, T'], L(ẑ, θ) at each evaluated timestep.
        latents: float32 [Q, 4, h, w], the sampler's final latents from the query's own noise.
        pictures: uint8 [Q, H, W, 3], those latents decoded.
        removed: int64 [K], rows of the training set that the model was trained without.
    """

    about: Mapping[str, Any]
    queries: Sequence[str]
    losses: np.ndarray
    latents: np.ndarray
    pictures: np.ndarray
    removed: np.ndarray

    def save(self, path: Path) -> None:
        """Writes the outcome as safetensors, with `about` in the header."""
        content = {"about": dict(self.about), "queries": list(self.queries)}
        notes = {"leavekout": json.dumps({**provenance(), **content})}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        with atomic(path) as temporary:
            save_file(arrays, temporary, notes)

    @classmethod
    def load(cls, path: Path) -> "Outcome":
        """Reads an outcome; raises InputError if it is missing, truncated or something else."""
        broken = SafetensorError, KeyError, ValueError
        with reading(path, "outcome", *broken), safe_open(path, framework="np") as file:
            notes = json.loads((file.metadata() or {}).get("leavekout", "{}"))
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
            return cls(notes["about"], notes["queries"], **arrays)

    def select(self, names: Sequence[str]) -> "Outcome":
        """The outcome for some of the queries, in the order of `names`."""
        row_of = {name: row for row, name in enumerate(self.queries)}
        rows = [row_of[name] for name in names]
        losses, latents, pictures = self.losses[rows], self.latents[rows], self.pictures[rows]
        return Outcome(self.about, list(names), losses, latents, pictures, self.removed)


def combined(outcomes: Sequence[Outcome]) -> Outcome:
    """Merges the outcomes of one model for several sets of queries."""
    first = outcomes[0]
    losses, latents, pictures = (
        np.concatenate([getattr(outcome, name) for outcome in outcomes])
        for name in ("losses", "latents", "pictures")
    )
    names = [name for outcome in outcomes for name in outcome.queries]
    return Outcome(first.about, names, losses, latents, pictures, first.removed)
