"""The parts of the variance, and the smallest difference that a study of some size can show."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from leavekout.contract.removal import RANDOM
from leavekout.leave_k_out.statistics.arms import Arms, arms_of_measures
from leavekout.statistics.paired import cluster_variances
from leavekout.statistics.resampling import Estimate, numbered
from leavekout.statistics.significance import LEVEL

POWER = 0.8
FEWEST = 3  # clusters; with two, t has one degree of freedom, and no power after correction
_ROUNDING = 1e-9  # a deviation below this share of the mean is rounding
QUERIES = (6, 12, 25, 50, 110, 220)
RETRAININGS = (1, 2, 4)
_VARIANCE = ["measure", "k", "method", "total", "query", "retraining", "shared", "evaluation"]
_POWER = [
    *("measure", "k", "comparison", "queries", "retrainings", "difference", "difference_holm")
]


def variance_table(measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each measure, K and method: the variance of one cell's excess, and its parts.

    `total` = `query` + `retraining` + `evaluation`. `retraining`: the variance on one query across
    models trained without different random sets of that size; `shared`, the part of it that all
    queries have in common, which more queries do not average out. `evaluation`: of the loss, from
    finitely many timesteps and noises. `query`: the rest, the differences between queries in a
    method's effect.
    """
    rows = [
        (measure.name, k, method, *_variances(arms, method, k))
        for measure, arms in arms_of_measures(measurements)
        for method, k in arms.effects
        if k in arms.random and arms.random[k].shape[1] > 1 and arms.queries > 1
    ]
    return pd.DataFrame(rows, columns=_VARIANCE)


def _variances(arms: Arms, method: str, k: int) -> tuple[float, float, float, float, float]:
    """Total variance of a cell's excess; of queries, of retraining, shared, of evaluation."""
    random, evaluation = arms.random[k], arms.evaluation[method, k]
    within, shared = retraining_variance(random)
    retraining = max(0.0, within - arms.evaluation[RANDOM, k])
    # The mean over S random sets adds 1/S of its own variance to that of the excess.
    total = max(0.0, arms.excess(method, k).var(ddof=1) - (within - shared) / random.shape[1])
    query = max(0.0, total - retraining - evaluation)
    return query + retraining + evaluation, query, retraining, min(shared, retraining), evaluation


def retraining_variance(random: np.ndarray) -> tuple[float, float]:
    """Variance of [Q, S] among models on one query, and the part common to all queries.

    A two-way analysis of variance with queries and models as random effects: the variance of a
    model's mean over queries is `shared` + own / Q.
    """
    queries, _ = random.shape
    centred = random - random.mean(axis=1, keepdims=True)
    of_means = centred.mean(axis=0).var(ddof=1)  # shared + own / Q
    within = centred.var(axis=1, ddof=1).mean()  # shared + own
    own = max(0.0, (within - of_means) * queries / (queries - 1))
    return float(within), float(max(0.0, within - own))


def power_table(measurements: pd.DataFrame) -> pd.DataFrame:
    """The smallest difference that a two-sided test at 5 % finds in four of five studies.

    One row for each measure, K, kind of comparison, number of queries and of retrainings (models of
    other seeds that are averaged in each cell): `difference`, and `difference_holm`, if it is one
    of all pairs of methods here. Variances are medians over this study's methods, or pairs of them.
    The gain of retrainings is a lower bound, because their noise is that of random sets of the same
    K. `difference_holm` is at Holm's level. The test is the plain t-test over clusters; that of
    pairs, whose variances inform each other, is better. Both are empty if all queries are one
    cluster, which shows no variance between clusters.
    """
    rows = []
    for measure, arms in arms_of_measures(measurements):
        for k in arms.ks():
            if k not in arms.random or arms.random[k].shape[1] < 2 or arms.queries < 3:
                continue
            for kind, spread in _spreads(arms, k).items():
                for queries, retrainings in product(sorted({*QUERIES, arms.queries}), RETRAININGS):
                    differences = (
                        spread.smallest(queries, retrainings, level=level)
                        for level in (LEVEL, LEVEL / spread.tests)
                    )
                    rows.append((measure.name, k, kind, queries, retrainings, *differences))
    return pd.DataFrame(rows, columns=_POWER)


@dataclass(frozen=True)
class _Spread:
    """The variances behind a difference of two means, and the number of such tests."""

    fixed: float  # between queries, whatever the number of retrainings
    noise: float  # between queries, averaged by retrainings
    shared: float  # of the mean, whatever the number of queries
    models: int  # shared models that `shared` comes from
    tests: int
    design: float  # factor by which clusters raise the variance of a mean; infinite for one
    clusters: float  # for each query

    def smallest(self, queries: int, retrainings: int, *, level: float) -> float:
        """The smallest difference that is found, with Satterthwaite's degrees of freedom."""
        if not np.isfinite(self.design):
            return np.nan
        own = self.design * (self.fixed + self.noise / retrainings) / queries
        if own + self.shared == 0:
            return 0.0  # nothing varies
        clusters = self.clusters * queries
        if clusters < FEWEST:
            return np.inf
        parts = own**2 / (clusters - 1) + self.shared**2 / max(1, self.models - 1)
        freedom = (own + self.shared) ** 2 / parts
        error = np.sqrt(own + self.shared)
        return float(error * smallest_effect(freedom, level=level))


def _spreads(arms: Arms, k: int) -> dict[str, _Spread]:
    """The variances of both kinds of comparison; of pairs only if there are two methods."""
    random, methods = arms.random[k], arms.methods(k)
    models = random.shape[1]
    within, shared = retraining_variance(random)
    retraining = max(0.0, within - arms.evaluation[RANDOM, k])

    def spread(values: list[np.ndarray], noise: float, shared: float, models: int) -> _Spread:
        variance = float(np.median([v.var(ddof=1) for v in values]))
        noise, tests = min(noise, variance), len(values)
        design, clusters = _design_effect(values, arms.clusters), arms.independent / arms.queries
        return _Spread(variance - noise, noise, shared, models, tests, design, clusters)

    excesses = [arms.excess(method, k) for method in methods]
    spreads = {"method and random": spread(excesses, retraining, shared / models, models)}
    pairs = [arms.effects[a, k] - arms.effects[b, k] for a, b in combinations(methods, 2)]
    if pairs:
        spreads["two methods"] = spread(pairs, 2 * retraining, 0.0, 1)
    return spreads


def _design_effect(differences: list[np.ndarray], clusters: np.ndarray) -> float:
    """Kish's: the variance of a mean with clusters over that with independent queries; ≥ 1.

    Infinite with one cluster, which shows no variance of means.
    """
    if len(np.unique(clusters)) < 2:
        return np.inf
    ratios = [
        variance_of_mean(values, clusters) * len(values) / values.var(ddof=1)
        for values in differences
        if values.var() > 0
    ]
    return max(1.0, float(np.median(ratios))) if ratios else 1.0


def variance_of_mean(values: np.ndarray, clusters: np.ndarray) -> float:
    """The variance of the mean of [Q] values that depend on each other within a cluster."""
    members = numbered(clusters)
    if members.max() == 0:
        return np.inf
    return float(cluster_variances(values[None], members)[0][0] / len(values))


def smallest_effect(freedom: float, *, level: float) -> float:
    """The difference, in its standard errors, that a two-sided t-test finds with 80 % power.

    By the noncentral t distribution.
    """
    limit = stats.t.isf(level / 2, freedom)
    return float(brentq(lambda e: stats.nct.sf(limit, freedom, e) - POWER, 0, 10 * limit + 10))


def queries_needed(estimate: Estimate, *, level: float, queries: int, clusters: int) -> float:
    """How many queries would find a difference like an estimated one with 80 % power.

    By the t-test at `level`. Further queries are assumed to come in clusters as large as these, and
    the observed difference to be the true one; a difference that was reported because it was large
    needs more. Infinite without a difference; NaN if nothing varies, or there is one cluster.

    Args:
        estimate: of one difference, over Q `queries` in C `clusters`.
    """
    value, error = abs(float(estimate.value)), float(estimate.error)
    if not error > _ROUNDING * value:
        return np.nan
    if value < _ROUNDING * error:
        return np.inf

    def power(n: int) -> float:
        """With n clusters."""
        freedom = float(estimate.freedom) * (n - 1) / (clusters - 1)
        limit = stats.t.isf(level / 2, freedom)
        return float(stats.nct.sf(limit, freedom, value / error * np.sqrt(n / clusters)))

    # As if t were normal, which is exact enough where n is large.
    z = stats.norm.isf(level / 2) + stats.norm.ppf(POWER)
    n = max(FEWEST, int(np.ceil(clusters * np.square(z * error / value))))
    if n < 1000:
        n = next(n for n in range(n, 2000) if power(n) >= POWER)
    return float(np.ceil(n * queries / clusters))
