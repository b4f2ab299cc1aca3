"""Groups of like images: the models behind the oracle."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.removal import GROUP, Removal, Study, Table


class Groups:
    """A group of like images: the models behind the oracle."""

    table: Table = None
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each group."""
        e = study.experiment
        for number, size in enumerate(e.oracle.sizes(e.dataset.images) if e.oracle else []):
            yield Removal("group", GROUP, size, study.seed, number=number, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`group/g<number>/k<size>`."""
        return f"{GROUP}/g{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The group of each image."""
        return {"groups": ["data/groups.npy"]}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The group's members."""
        from leavekout.runtime.artifacts import load_npy  # here: it reads arrays

        return np.flatnonzero(load_npy(files["groups"][0]) == removal.number)

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """None."""
        return False
