"""The top K: what a method scores highest."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.related import looked_at_elsewhere
from leavekout.removal.removal import TARGET, Removal, Study, Table


class TopK:
    """The K images that a method scores highest for a query: D_ẑ^K."""

    table: Table = "measurements"
    counted: str | None = TARGET  # not those that the forgetting check looks at

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each method, test query and K."""
        e = study.experiment
        checked, related = (e.forgetting.k, e.forgetting.methods) if e.forgetting else ([], [])
        for method in e.methods:
            for query in study.test:
                for k in e.counterfactual.ks_of(method):
                    removal = Removal("top", method, k, study.seed, targets=(query,))
                    if e.forgetting and method in related and k in checked:
                        removal = looked_at_elsewhere(removal, study)
                    yield removal

    def path(self, removal: Removal) -> str:
        """`<method>/<query>/k<K>`."""
        return f"{removal.method}/{removal.targets[0]}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The method's scores of each target."""
        return score_files(removal)

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The K best, best first."""
        return best(removal, files, images)[0]

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """All."""
        return True


def best(removal: Removal, files: Mapping[str, list[Path]], images: int) -> list[np.ndarray]:
    """The K rows that score highest, best first, for each target of a removal: int64 [K] each."""
    from leavekout.attribution.scores import read_scores, top_k  # here: they read arrays

    return [
        top_k(read_scores(path, images=images, method=removal.method), removal.k)
        for path in files["scores"]
    ]


def score_files(removal: Removal) -> dict[str, list[str]]:
    """The files of a method's scores of each target, below the study's results."""
    scores = [f"attribution/{removal.method}/{query}.npy" for query in removal.targets]
    return {"scores": scores}
