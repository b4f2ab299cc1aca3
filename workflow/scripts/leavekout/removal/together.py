"""The top K of all tuning queries together."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.removal import Removal, Study
from leavekout.removal.top import TopK, best


class Together(TopK):
    """The top K of all tuning queries removed together: one model shows what a setting is worth."""

    def models(self, study: Study) -> Iterator[Removal]:
        """None: they are of the tuning alone."""
        yield from ()

    def path(self, removal: Removal) -> str:
        """`<method>/together/k<K>`."""
        return f"{removal.method}/together/k{removal.k}"

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """Every row that is among the K best of one of the queries, ascending."""
        return np.unique(np.concatenate(best(removal, files, images)))
