"""Unions: the top K of several queries removed together (MUCS's protocol)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from leavekout.removal.random_sets import random_set
from leavekout.removal.removal import RANDOM, Removal, Study, Table
from leavekout.removal.top import best, score_files

_FIRST_UNION_SET = 1 << 31  # random sets of unions are none of the control's


class Unions:
    """The top K of several queries removed together, from one model for all of them.

    The random union is that of as many random sets of K, the control to compare with.
    """

    table: Table = "removals"
    counted: str | None = None

    def models(self, study: Study) -> Iterator[Removal]:
        """Models of each method and of random removal, for consecutive runs of test queries."""
        e = study.experiment
        config = e.counterfactual.union
        if config is None:
            return
        for number in range(config.sets):
            first = number * config.queries
            turned = [*study.test[first:], *study.test[:first]]
            targets = tuple(turned[: config.queries])
            others = tuple(turned[config.queries : config.queries + config.others])
            for method in [*config.methods, RANDOM]:
                seed = e.counterfactual.random.seed if method == RANDOM else None
                yield Removal(
                    "union",
                    method,
                    config.k,
                    study.seed,
                    number=number,
                    set_seed=seed,
                    targets=targets,
                    others=others,
                )

    def path(self, removal: Removal) -> str:
        """`union/<method>-u<number>/k<K>`."""
        return f"union/{removal.method}-u{removal.number}/k{removal.k}"

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The method's scores of each target."""
        return {} if removal.method == RANDOM else score_files(removal)

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """Every row that is in one of the sets, ascending."""
        if removal.method == RANDOM:
            assert removal.number is not None
            assert removal.set_seed is not None
            first = _FIRST_UNION_SET + removal.number * len(removal.targets)
            sets = [
                random_set(images, removal.k, number=first + i, seed=removal.set_seed)
                for i in range(len(removal.targets))
            ]
        else:
            sets = best(removal, files, images)
        return np.unique(np.concatenate(sets))

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """None."""
        return False
