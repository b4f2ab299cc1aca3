"""One measure as arrays: effects of methods, the random curve, the noise floor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from leavekout.base.errors import InputError
from leavekout.contract.removal import NO_REMOVAL, RANDOM, TOPIC
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.measurements import rows_of


@dataclass(frozen=True)
class Arms:
    """One measure of a whole study, all over the same Q queries.

    Args:
        effects: (method, K) → [Q], one leave-K-out model for each query.
        random: K → [Q, S_K], models without a random set, which all queries share.
        sets: K → the numbers [S_K] of these sets; sets of one number are nested in K.
        floor: [Q, R], models of R other seeds without a removal.
        evaluation: (method or control, K) → mean over queries of the squared evaluation error.
        clusters: [Q], the cluster of each query; see `clusters.py`.
        topic: K → [Q, S], models without a topic set, each of one query alone; may be empty.
    """

    effects: Mapping[tuple[str, int], np.ndarray]
    random: Mapping[int, np.ndarray]
    sets: Mapping[int, np.ndarray]
    floor: np.ndarray
    evaluation: Mapping[tuple[str, int], float]
    clusters: np.ndarray
    topic: Mapping[int, np.ndarray] = field(default_factory=dict)

    @property
    def queries(self) -> int:
        """Q."""
        return len(next(iter([*self.effects.values(), *self.random.values(), self.floor])))

    @property
    def independent(self) -> int:
        """C, the number of clusters."""
        return len(np.unique(self.clusters))

    def ks(self) -> list[int]:
        """The methods' values of K, ascending."""
        return sorted({k for _, k in self.effects})

    def methods(self, k: int) -> list[str]:
        """The methods that have this K."""
        return sorted(method for method, other in self.effects if other == k)

    def excess(self, method: str, k: int) -> np.ndarray:
        """A method's effect beyond the mean of random removal of as many images: [Q]."""
        return self.effects[method, k] - self.random[k].mean(axis=1)


def arms_of_measures(measurements: pd.DataFrame) -> Iterator[tuple[Measure, Arms]]:
    """Each measure of a table and its arrays, in the order in which measures first appear."""
    for measure in measures_in(measurements["measure"]):
        yield measure, arms_of(measurements, measure)


def arms_of(measurements: pd.DataFrame, measure: Measure) -> Arms:
    """The arrays of one measure.

    Raises:
        InputError: a model was not measured on every query; names both.
    """
    rows = rows_of(measurements, measure)
    effects: dict[tuple[str, int], np.ndarray] = {}
    random: dict[int, np.ndarray] = {}
    topic: dict[int, np.ndarray] = {}
    sets: dict[int, np.ndarray] = {}
    evaluation: dict[tuple[str, int], float] = {}
    floor = np.empty((0, 0))
    queries = np.sort(rows["query"].unique())
    for key, group in rows.groupby(["method", "k"]):
        method, k = cast(tuple[str, int], key)
        column = "removal_set" if method in (RANDOM, TOPIC) else "training_seed"
        values = group.pivot(index="query", columns=column, values="value").reindex(queries)
        if values.isna().any(axis=None):
            missing = values.index[values.isna().any(axis="columns")][0]
            raise InputError(f"the measurements lack query {missing} for '{method}' at K = {k:,}.")
        evaluation[method, k] = float(group["evaluation_error"].pow(2).mean())
        array = values.to_numpy(float)
        if method == RANDOM:
            random[k], sets[k] = array, values.columns.to_numpy(int)
        elif method == TOPIC:
            topic[k] = array
        elif method == NO_REMOVAL:
            floor = array
        else:
            effects[method, k] = array.mean(axis=1)
    clusters = rows.groupby("query")["cluster"].first().to_numpy()
    return Arms(effects, random, sets, floor, evaluation, clusters, topic)
