"""Where the variance comes from, and the smallest difference that a study of some size can show."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.statistics.arms import Arms, arms_of
from leavekout.leave_k_out.statistics.measurements import CONTROL
from leavekout.statistics.resampling import numbered
from leavekout.statistics.significance import LEVEL

POWER = 0.8
QUERIES = (6, 12, 25, 50, 110, 220)
RETRAININGS = (1, 2, 4)


def variance_table(measurements: pd.DataFrame) -> pd.DataFrame:
    """One row for each measure, K and method: the variance of one cell's excess, and its parts.

    `total` = `query` + `retraining` + `evaluation`. `retraining`: what models scatter on one query
    that lack different random sets of the same size. Of it, `shared` is the part that is common to
    all queries, which more queries do not average out. `evaluation`: of the loss, from finitely
    many timesteps and noises. `query`: the rest, a method's effect that differs between queries.
    """
    rows = []
    for measure in [one.name for one in measures_in(measurements["measure"])]:
        arms = arms_of(measurements, measure)
        for method, k in arms.effects:
            if k in arms.random and arms.random[k].shape[1] > 1 and arms.queries > 1:
                rows.append(
                    {"measure": measure, "k": k, "method": method, **_parts(arms, method, k)}
                )
    columns = ["measure", "k", "method", "total", "query", "retraining", "shared", "evaluation"]
    return pd.DataFrame(rows, columns=columns)


def _parts(arms: Arms, method: str, k: int) -> dict[str, float]:
    random = arms.random[k]
    evaluation = arms.evaluation[method, k]
    within, shared = retraining_variance(random)
    retraining = max(0.0, within - arms.evaluation[CONTROL, k])
    # The control's mean over S sets brings 1/S of its own scatter into the difference.
    excess = arms.effects[method, k] - random.mean(axis=1)
    total = max(0.0, excess.var(ddof=1) - (within - shared) / random.shape[1])
    query = max(0.0, total - retraining - evaluation)
    return {
        "total": query + retraining + evaluation,
        "query": query,
        "retraining": retraining,
        "shared": min(shared, retraining),
        "evaluation": evaluation,
    }


def retraining_variance(random: np.ndarray) -> tuple[float, float]:
    """Variance among models on one query, and of it the part common to all queries: [Q, S].

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
    """The smallest difference that a two-sided test at 5 % shows in four of five studies.

    One row for each measure, K, kind of comparison, number of queries and of retrainings (of each
    cell, with other seeds, averaged): `difference`, and `difference_holm`, if it is one of all
    pairs of methods here. The variances are medians over this study's methods, or pairs of them.
    What retrainings gain is a lower bound: their noise is that of random sets of the same K.
    `difference_holm` is at Holm's level, which the correction of pairs does a little better than.
    """
    rows = []
    for measure in [one.name for one in measures_in(measurements["measure"])]:
        arms = arms_of(measurements, measure)
        for k in arms.ks():
            if k not in arms.random or arms.random[k].shape[1] < 2 or arms.queries < 3:
                continue
            for kind, spread in _spreads(arms, k).items():
                for queries, retrainings in product(sorted({*QUERIES, arms.queries}), RETRAININGS):
                    plain, corrected = (
                        spread.smallest(queries, retrainings, level=level)
                        for level in (LEVEL, LEVEL / spread.tests)
                    )
                    row = {"measure": measure, "k": k, "comparison": kind, "queries": queries}
                    row |= {"retrainings": retrainings, "difference": plain}
                    rows.append(row | {"difference_holm": corrected})
    columns = [
        "measure",
        "k",
        "comparison",
        "queries",
        "retrainings",
        "difference",
        "difference_holm",
    ]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Spread:
    """What the error of a difference of two means is made of, and how many such tests there are."""

    fixed: float  # variance between queries that retraining a cell again leaves as it is
    noise: float  # variance between queries that it averages
    shared: float  # variance of the mean, however many queries
    models: int  # shared models that it comes from
    tests: int
    design: float  # how many times larger clusters make the variance of a mean over queries
    clusters: float  # for each query

    def smallest(self, queries: int, retrainings: int, *, level: float) -> float:
        """The smallest difference that is shown; the degrees of freedom are Satterthwaite's."""
        own = self.design * (self.fixed + self.noise / retrainings) / queries
        if own + self.shared == 0:
            return 0.0  # nothing varies
        clusters = self.clusters * queries
        if clusters <= 1:
            return np.inf
        parts = own**2 / (clusters - 1) + self.shared**2 / max(1, self.models - 1)
        freedom = (own + self.shared) ** 2 / parts
        error = np.sqrt(own + self.shared)
        return float(error * smallest_effect(clusters, freedom, level=level))


def _spreads(arms: Arms, k: int) -> dict[str, _Spread]:
    random = arms.random[k]
    methods = arms.methods(k)
    within, shared = retraining_variance(random)
    retraining = max(0.0, within - arms.evaluation[CONTROL, k])
    by_cluster = arms.independent / arms.queries
    excesses = [arms.effects[method, k] - random.mean(axis=1) for method in methods]
    of_excess = _median_variance(excesses)
    noise = min(retraining, of_excess)
    kinds = {
        "method and random": _Spread(
            of_excess - noise,
            noise,
            shared / random.shape[1],
            random.shape[1],
            len(methods),
            _design_effect(excesses, arms.clusters),
            by_cluster,
        )
    }
    pairs = [arms.effects[a, k] - arms.effects[b, k] for a, b in combinations(methods, 2)]
    if pairs:
        of_pairs = _median_variance(pairs)
        noise = min(2 * retraining, of_pairs)
        kinds["two methods"] = _Spread(
            of_pairs - noise,
            noise,
            0.0,
            1,
            len(pairs),
            _design_effect(pairs, arms.clusters),
            by_cluster,
        )
    return kinds


def _median_variance(differences: list[np.ndarray]) -> float:
    return float(np.median([values.var(ddof=1) for values in differences]))


def _design_effect(differences: list[np.ndarray], clusters: np.ndarray) -> float:
    """Kish's: the variance of a mean by clusters over that of as many independent queries; ≥ 1."""
    ratios = [
        variance_of_mean(values, clusters) * len(values) / values.var(ddof=1)
        for values in differences
        if values.var() > 0
    ]
    return max(1.0, float(np.median(ratios))) if ratios else 1.0


def variance_of_mean(values: np.ndarray, clusters: np.ndarray) -> float:
    """The variance of the mean of [Q] values, of which those of a cluster depend on each other."""
    members = numbered(clusters)
    sums = np.bincount(members, values - values.mean())
    count = len(sums)
    if count < 2:
        return np.inf
    return float(count / (count - 1) * np.square(sums).sum() / len(values) ** 2)


def smallest_effect(clusters: float, freedom: float, *, level: float) -> float:
    """The difference, in its standard errors, that a two-sided t-test shows with 80 % power.

    By the noncentral t distribution. Infinite where the sign-flip test, whose p-value is at least
    2^(1 - C) with C clusters, corrected or not, can show none at all.
    """
    if 2.0 ** (1 - clusters) > LEVEL:
        return np.inf
    limit = stats.t.isf(level / 2, freedom)
    return float(brentq(lambda e: stats.nct.sf(limit, freedom, e) - POWER, 0, 10 * limit + 10))


def queries_needed(
    differences: np.ndarray, *, level: float, clusters: np.ndarray | None = None
) -> float:
    """Queries with which a difference like that of [Q] queries would be shown with 80 % power.

    For the t-test at `level`, whose power the sign-flip test nearly has, though it needs
    2^(1 - C) ≤ 5 % of C clusters, too. Further queries are taken to come in clusters as large as
    these. The observed difference is taken for the true one: where it was found because it was
    large, more queries will be needed. Not a number if nothing varies; infinite where there is no
    difference, or one cluster alone.
    """
    queries = len(differences)
    members = np.arange(queries) if clusters is None else numbered(clusters)
    count = int(members.max()) + 1
    if queries < 2 or differences.std() == 0:
        return np.nan
    deviation = np.sqrt(variance_of_mean(differences, members) * count)  # of a cluster
    effect = abs(differences.mean()) / deviation
    if effect == 0 or not np.isfinite(deviation):
        return np.inf

    def power(n: int) -> float:
        limit = stats.t.isf(level / 2, n - 1)
        return float(stats.nct.sf(limit, n - 1, effect * np.sqrt(n)))

    # Guenther's formula (1981) is exact enough where t has hardly more than the normal's tails.
    z_level, z_power = stats.norm.isf(level / 2), stats.norm.ppf(POWER)
    n = int(np.ceil(np.square((z_level + z_power) / effect) + z_level**2 / 2))
    fewest = int(np.ceil(1 - np.log2(LEVEL)))
    if n < 1000:  # where it is only near
        n = next(n for n in range(max(fewest, n - 3), 2000) if power(n) >= POWER)
    return float(np.ceil(max(n, fewest) * queries / count))
