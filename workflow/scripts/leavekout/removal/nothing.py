"""Nothing removed: how far models are apart that differ in their seed alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.removal import NO_REMOVAL, Removal, Study, Table


class Nothing:
    """Nothing removed, trained from other seeds: the noise floor, and ensembles of methods."""

    table: Table = "measurements"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """A model for each seed of `retrain_seeds`, and of the ensembles of influence methods."""
        e = study.experiment
        for seed in e.counterfactual.retrain_seeds:
            yield self.model(study, seed)

    def model(self, study: Study, seed: int) -> Removal:
        """The model of one seed."""
        return Removal("nothing", NO_REMOVAL, 0, seed, number=None, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`no_removal/seed<seed>/k0`."""
        return f"{NO_REMOVAL}/seed{removal.training_seed}/k0"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """None."""
        return {}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """No rows."""
        return np.empty(0, np.int64)

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """One of them: the others differ from it in their seed alone."""
        seeds = study.experiment.counterfactual.retrain_seeds
        return removal.training_seed in seeds[:1]
