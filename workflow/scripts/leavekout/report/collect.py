"""Collects the pictures of each query: which images methods select, and what models generate."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.contract.scores import read_scores, top_k


class Ranked(NamedTuple):
    """The images that a method scores highest for a query, best first: rows and scores."""

    rows: np.ndarray
    scores: np.ndarray


def ranked_by_query(
    scores: Iterable[Path],
    *,
    images: int,
    top: int,
    candidates: Callable[[str], np.ndarray] | None = None,
) -> dict[str, dict[str, Ranked]]:
    """query → method → the best images, from files `<method>/<query>.npy`.

    Args:
        candidates: query → the rows that are ranked for it; None ranks all.
    """
    ranked: dict[str, dict[str, Ranked]] = {}
    for path in scores:
        method, query = path.parent.name, path.stem
        values = read_scores(path, images=images, method=method)
        rows = np.arange(images) if candidates is None else candidates(query)
        best = rows[top_k(values[rows], top)]
        ranked.setdefault(query, {})[method] = Ranked(best, values[best])
    return ranked


@dataclass(frozen=True)
class Regenerated:
    """What one retrained model generates from a query's prompt and noise.

    Args:
        method: an attribution method, or a control's name.
        k: images removed; training_seed: of the model.
        picture: uint8 [H, W, 3].
    """

    method: str
    k: int
    training_seed: int
    picture: np.ndarray

    @property
    def label(self) -> str:
        """What people read: `K = 1,000`, or `seed 3` where nothing was removed."""
        return f"K = {self.k:,}" if self.k else f"seed {self.training_seed}"


def regenerated_by_query(
    outcomes: Iterable[Path], queries: Collection[str]
) -> dict[str, list[Regenerated]]:
    """query → the pictures of all models, the largest K first."""
    models: dict[str, list[Regenerated]] = {query: [] for query in queries}
    for path in outcomes:
        outcome = Outcome.load(path)
        removal = Removal.from_dict(outcome.about)
        shown = removal.targets or outcome.queries  # without those of the forgetting check
        for query, picture in zip(outcome.queries, outcome.pictures, strict=True):
            if query in models and query in shown:
                models[query].append(
                    Regenerated(removal.method, removal.k, removal.training_seed, picture)
                )
    return {
        query: sorted(pictures, key=lambda model: (-model.k, model.training_seed))
        for query, pictures in models.items()
    }
