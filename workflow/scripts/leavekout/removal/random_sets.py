"""Random sets: the control that methods are compared with."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.removal import RANDOM, Removal, Study, Table


class RandomSets:
    """K images drawn uniformly: the control, shared by all queries."""

    table: Table = "measurements"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """Sets nested in K at all K of methods and of the random curve, and sets of half."""
        e = study.experiment
        config = e.counterfactual.random
        ks = sorted({*e.counterfactual.all_ks(), *config.sizes()})
        half = e.dataset.images // 2
        numbers = [(number, k) for number in range(config.sets) for k in ks]
        numbers += [(number, half) for number in range(config.half_size_sets)]
        for number, k in dict.fromkeys(numbers):
            yield random_removal(study, number, k)

    def path(self, removal: Removal) -> str:
        """`random/s<number>/k<K>`."""
        return f"{RANDOM}/s{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """None."""
        return {}

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The set of this number and seed."""
        assert removal.number is not None
        assert removal.set_seed is not None
        return random_set(images, removal.k, number=removal.number, seed=removal.set_seed)

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """Of the many random sets the first, at the methods' own K."""
        ks = study.experiment.counterfactual.all_ks()
        return removal.number == 0 and removal.k in ks


def random_removal(study: Study, number: int, k: int) -> Removal:
    """The random set of a number and size, evaluated on all queries."""
    seed = study.experiment.counterfactual.random.seed
    return Removal("random", RANDOM, k, study.seed, number, seed, others=study.queries)


def random_set(images: int, k: int, *, number: int, seed: int) -> np.ndarray:
    """K rows drawn uniformly: int64 [K].

    Sets of one number are nested in K, so a curve over K follows growing sets.
    """
    import torch  # here: the Snakefile imports this module

    from leavekout.noise import Domain, words

    order = words(seed, Domain.REMOVAL, torch.arange(images), number)
    return torch.argsort((order[0] << 31) | (order[1] >> 1), stable=True)[:k].numpy()
