"""Gathers for each query what figures and report show of it."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import numpy as np

from leavekout.contract.outcome import Outcome
from leavekout.contract.removal import Removal
from leavekout.contract.scores import read_scores, top_k


def ranked_by_query(
    scores: Iterable[Path],
    *,
    images: int,
    top: int,
    candidates: Callable[[str], np.ndarray] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """query → method → rows of the best images, from files `<method>/<query>.npy`.

    Args:
        candidates: query → rows that are ranked for it; all unless given.
    """
    ranked: dict[str, dict[str, np.ndarray]] = {}
    for path in scores:
        method, query = path.parent.name, path.stem
        values = read_scores(path, images=images, method=method)
        rows = np.arange(images) if candidates is None else candidates(query)
        ranked.setdefault(query, {})[method] = rows[top_k(values[rows], top)]
    return ranked


def regenerated_by_query(
    outcomes: Iterable[Path], queries: Collection[str]
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """query → method → label of the model, the largest K first → its picture uint8 [H, W, 3]."""
    models: dict[str, dict[str, dict[tuple, np.ndarray]]] = {query: {} for query in queries}
    for path in outcomes:
        outcome = Outcome.load(path)
        removal = Removal.from_dict(outcome.about)
        label = f"K = {removal.k:,}" if removal.k else f"seed {removal.training_seed}"
        place = (-removal.k, removal.training_seed, label)
        shown = removal.targets or outcome.queries  # not those looked at for the forgetting check
        for query, picture in zip(outcome.queries, outcome.pictures, strict=True):
            if query in models and query in shown:
                models[query].setdefault(removal.method, {})[place] = picture
    return {
        query: {
            method: {place[-1]: by_place[place] for place in sorted(by_place)}
            for method, by_place in of_query.items()
        }
        for query, of_query in models.items()
    }
