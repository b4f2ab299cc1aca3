"""The bootstrap of queries and of the models that they share, for what is no plain mean.

Queries are a sample of what people might generate, and the models that all queries share (random
sets, seeds) are a sample of possible trainings. The error of a shared model is the same for every
query, so a standard error over queries alone misses it. Clustered queries are resampled together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
UNBOUNDED = (-np.inf, np.inf)
# (weights of queries [B, Q], weights of models [B, M]), each with mean 1 → statistics [B, …]
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """A statistic and its uncertainty, arrays of one shape.

    Args:
        value: the statistic of the study itself.
        error: its standard error, over queries and models.
        query_error: the naive standard error, over queries alone.
        freedom: degrees of freedom of `error`.
        range: the lowest and the highest value that the statistic can have; the interval is cut
            there, and `error` and p-values are not.
    """

    value: np.ndarray
    error: np.ndarray
    query_error: np.ndarray
    freedom: np.ndarray
    range: tuple[float, float] = UNBOUNDED

    def __getitem__(self, index: int) -> "Estimate":
        """One estimate of several, with its range."""
        return Estimate(
            np.asarray(self.value[index]),
            np.asarray(self.error[index]),
            np.asarray(self.query_error[index]),
            np.asarray(self.freedom[index]),
            self.range,
        )

    def within(self, range: tuple[float, float]) -> "Estimate":
        """The same estimate, of a statistic with this range."""
        return replace(self, range=range)

    @property
    def margin(self) -> np.ndarray:
        """Half of the interval's width."""
        return np.asarray(stats.t.ppf((1 + CONFIDENCE) / 2, self.freedom) * self.error)

    @property
    def low(self) -> np.ndarray:
        """Lower end of the 95 % interval."""
        lowest = np.minimum(self.range[0], self.value)  # a value may leave the range by rounding
        return np.maximum(self.value - self.margin, lowest)

    @property
    def high(self) -> np.ndarray:
        """Upper end of the 95 % interval."""
        highest = np.maximum(self.range[1], self.value)
        return np.minimum(self.value + self.margin, highest)

    def p_value(self) -> np.ndarray:
        """Two-sided p-value of the statistic being 0, by Student's t; NaN without an error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * stats.t.sf(np.abs(self.value / self.error), self.freedom)
        return np.where((self.error == 0) & (self.value == 0), 1.0, p)


class Resamples:
    """Bootstrap weights of Q queries and of models that all queries share.

    `queries` [B, Q] are the weights of queries, and `clusters` is the number of clusters.

    Args:
        queries: Q.
        clusters: [Q], the cluster of each query; clusters are resampled whole. None makes every
            query its own cluster.
        models: size of each group of models; each group is resampled separately. Random curves have
            the sets that cover all K, and the sets of a single K.
        count: B, the number of resamples.
    """

    def __init__(
        self,
        queries: int,
        models: Sequence[int],
        *,
        count: int,
        seed: int = 0,
        clusters: np.ndarray | None = None,
    ) -> None:
        members = numbered(np.arange(queries) if clusters is None else clusters)
        self.clusters = int(members.max()) + 1
        of_clusters, self._models = _draws(self.clusters, tuple(models), count, seed)
        self.queries = of_clusters[:, members]
        self._every_query = np.ones((1, queries))
        self._every_model = np.ones((1, sum(models)))

    def estimate(self, statistic: Statistic, *, models: int = 0) -> Estimate:
        """A statistic with its standard error, and degrees of freedom by Satterthwaite's formula.

        Args:
            models: how many shared models the statistic uses. With 0 or 1 the error leaves out the
                models' noise, because one model does not show it.
        """
        queries = self.clusters
        value = statistic(self._every_query, self._every_model)[0]
        if queries < 2:
            nothing = np.full(value.shape, np.nan)
            return Estimate(value, nothing, nothing, nothing)
        of_queries = statistic(self.queries, self._every_model).var(axis=0, ddof=1)
        if models < 2:
            error, freedom = np.sqrt(of_queries), np.full(value.shape, queries - 1.0)
            return Estimate(value, error, error, freedom)
        of_models = statistic(self._every_query, self._models).var(axis=0, ddof=1)
        of_both = statistic(self.queries, self._models).var(axis=0, ddof=1)
        error, freedom = crossed_error(of_queries, of_models, of_both, queries, models)
        return Estimate(value, error, np.sqrt(of_queries), freedom)


def crossed_error(
    of_queries: np.ndarray, of_models: np.ndarray, of_both: np.ndarray, queries: int, models: int
) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of a statistic over crossed queries and models.

    Args:
        of_queries, of_models, of_both: bootstrap variances of resampled queries, models, both.

    With a part q / Q of queries, m / M of models, and i / (QM) of what a model does to one query,
    the three are q / Q + i / (QM), m / M + i / (QM), and q / Q + m / M + 3 i / (QM) (Owen, 2007);
    the true variance has i / (QM) once. The degrees of freedom are Satterthwaite's.
    """
    once = 2 * (of_queries + of_models) - of_both
    variance = np.maximum(np.maximum(of_queries, of_models), once)
    parts = of_queries**2 / (queries - 1) + of_models**2 / (models - 1)
    total = (of_queries + of_models) ** 2
    none = np.full(np.shape(total), queries - 1.0)
    return np.sqrt(variance), np.divide(total, parts, out=none, where=parts > 0)


def numbered(clusters: np.ndarray) -> np.ndarray:
    """Clusters of any names → numbers from 0: int [Q]."""
    return np.unique(clusters, return_inverse=True)[1]


@lru_cache(maxsize=4)  # the same for all methods and measures, and slow
def _draws(
    clusters: int, models: tuple[int, ...], count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of clusters of queries [B, C] and of all groups of models [B, M]."""
    rng = np.random.default_rng(seed)
    of_clusters = _weights(rng, clusters, count)
    groups = [_weights(rng, size, count) for size in models]
    return of_clusters, np.concatenate([np.empty((count, 0)), *groups], axis=1)


def _weights(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    """[B, n] weights with mean 1, of n − 1 draws out of n.

    With n − 1 draws (Rao and Wu, 1988) the variance of a resampled mean is s²/n, as it should be;
    with n draws it would be too small by (n − 1)/n, which matters for five models.
    """
    if size == 1:
        return np.ones((count, 1))
    return rng.multinomial(size - 1, np.full(size, 1 / size), count) * (size / (size - 1))


def mean(values: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Weighted means over queries: [Q, …] and [B, Q] → [B, …]."""
    return np.tensordot(queries / queries.sum(axis=1, keepdims=True), values, axes=1)
