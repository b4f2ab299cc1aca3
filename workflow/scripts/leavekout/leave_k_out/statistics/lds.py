"""The linear datamodeling score: do scores, summed over a removed set, predict its effect?

Park et al., TRAK (ICML 2023), eq. 4: the rank correlation, over random sets, of the measured effect
and the sum of a method's scores. It is cheap, because methods need no models of their own: it uses
the random control, or sets of half of the images (`half_size_sets`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from scipy import stats

from leavekout.leave_k_out.statistics.arms import Arms
from leavekout.statistics.resampling import Estimate, Resamples, crossed_error, mean

FEWEST_MODELS = 4  # fewer make a rank correlation meaningless
MOST_RESAMPLES = 1000  # they give the error to 2 %; each ranks all models of all queries
_COLUMNS = ["k", "method", "n_queries", "n_models", "lds", "low", "high"]
_SNR_COLUMNS = ["snr_queries", "snr_lds", "snr_low", "snr_high"]


def summed_scores(scores: np.ndarray, sets: Sequence[np.ndarray]) -> np.ndarray:
    """The sums of scores [N] over sets of rows, which predict the sets' effects: float64 [S]."""
    return np.array([scores[rows].astype(np.float64).sum() for rows in sets])


def rank_correlations(measured: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis, ties sharing their mean rank: […, S] → […].

    0 where one side is constant and so has no order.
    """
    ranks = [stats.rankdata(values, axis=-1) for values in (measured, predicted)]
    centred = [r - r.mean(axis=-1, keepdims=True) for r in ranks]
    norms = np.sqrt(np.square(centred[0]).sum(axis=-1) * np.square(centred[1]).sum(axis=-1))
    products = (centred[0] * centred[1]).sum(axis=-1)
    return np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)


def lds(
    measured: np.ndarray,
    predicted: np.ndarray,
    *,
    resamples: int,
    seed: int = 0,
    clusters: np.ndarray | None = None,
) -> Estimate:
    """The linear datamodeling score: the mean over queries of the correlation over models.

    Args:
        measured: [Q, S], the measure on Q queries of S > 2 models without random sets of one size;
        predicted: [Q, S], see `summed_scores`.
        resamples: of queries and models; see `resampling.py`.
        clusters: [Q], the cluster of each query; None if all are independent.
    """
    queries, models = measured.shape
    by_query = rank_correlations(measured, predicted)
    score = np.asarray(by_query.mean())
    if queries < 2:
        nothing = np.full((), np.nan)
        return Estimate(score, nothing, nothing, nothing)
    draws = Resamples(queries, [], count=resamples, seed=seed, clusters=clusters)
    rng = np.random.default_rng(seed)
    models_drawn = rng.integers(models, size=(resamples, models - 1))
    again = rank_correlations(measured[:, models_drawn], predicted[:, models_drawn])  # [Q, B]

    def with_both(queries_drawn: np.ndarray) -> np.ndarray:
        return (again.T * queries_drawn).sum(axis=1) / queries_drawn.sum(axis=1)

    of_queries = draws.estimate(lambda q, _: mean(by_query, q)).error ** 2
    of_models, of_both = again.mean(axis=0).var(), with_both(draws.queries).var()
    error, freedom = crossed_error(of_queries, of_models, of_both, draws.clusters, models)
    return Estimate(score, error, np.asarray(np.sqrt(of_queries)), freedom)


def lds_table(
    arms: Arms,
    predictions: Mapping[tuple[str, int], Sequence[np.ndarray]],
    beyond_noise: Mapping[tuple[str, int], Sequence[np.ndarray]] | None = None,
    *,
    resamples: int,
) -> pd.DataFrame:
    """One row for each K and method: `lds` with `low`, `high` (95 %, over queries and models).

    With `beyond_noise`, the same of these predictions as `snr_…`, over the `snr_queries` queries
    that have them; NaN if fewer than half have.

    Args:
        arms: of one measure; predictions: (method, K) → for each query, in the order of the arms,
            the `summed_scores` [S] of the random sets of this K; beyond_noise: the same of
            what `snr.beyond_noise` leaves of scores.
    """
    count = min(resamples, MOST_RESAMPLES)
    rows = []
    for (method, k), by_query in predictions.items():
        models = arms.random[k].shape[1]
        if models < FEWEST_MODELS:
            continue
        score = _estimate(arms, k, np.stack(by_query), np.ones(arms.queries, bool), count)
        row = [k, method, arms.queries, models, *score]
        if beyond_noise is not None:
            clear = np.stack(beyond_noise[method, k])
            known = np.isfinite(clear).all(axis=1)
            enough = 2 * known.sum() >= arms.queries
            snr = _estimate(arms, k, clear, known, count) if enough else (np.nan,) * 3
            row += [int(known.sum()), *snr]
        rows.append(row)
    return pd.DataFrame(rows, columns=[*_COLUMNS, *(_SNR_COLUMNS if beyond_noise else [])])


def _estimate(
    arms: Arms, k: int, predicted: np.ndarray, known: np.ndarray, resamples: int
) -> tuple[float, float, float]:
    """The score over the known queries, and the ends of its interval."""
    measured, clusters = arms.random[k][known], arms.clusters[known]
    score = lds(measured, predicted[known], resamples=resamples, clusters=clusters)
    score = score.within((-1, 1))
    return float(score.value), float(score.low), float(score.high)


class Agreement(NamedTuple):
    """Spearman's correlation of two quality measures over methods.

    Args:
        rho: the correlation; p: of no relation, by permutation; low, high: see
            `interval_over_methods`.
    """

    rho: float
    p: float
    low: float
    high: float


def agreement(scores: Mapping[str, float], effects: Mapping[str, float]) -> Agreement:
    """How well scores order methods as effects do, over the methods that have both.

    NaN with fewer than four methods, which can show nothing.
    """
    methods = sorted(m for m in set(scores) & set(effects) if np.isfinite(scores[m]))
    if len(methods) < 4:
        return Agreement(np.nan, np.nan, np.nan, np.nan)
    a, b = (np.array([values[m] for m in methods]) for values in (scores, effects))
    test = stats.permutation_test(
        (a,),
        lambda x, axis: rank_correlations(x, b),
        vectorized=True,
        permutation_type="pairings",
        n_resamples=50_000,
        rng=np.random.default_rng(0),
    )
    rho = float(test.statistic)
    return Agreement(rho, float(test.pvalue), *interval_over_methods(rho, len(methods)))


def agreements(
    lds: pd.DataFrame, effects: Mapping[str, float]
) -> Iterator[tuple[int, str, Agreement]]:
    """For each size of sets and each score how well it orders methods, where that is known.

    Args:
        lds: of `lds_table`; effects: of the methods, the more the better.
    """
    for size, group in lds.groupby("k"):
        for name, column in (("LDS", "lds"), ("SNR-LDS", "snr_lds")):
            if column in group:
                found = agreement(dict(zip(group["method"], group[column], strict=True)), effects)
                if np.isfinite(found.rho):
                    yield cast(int, size), name, found


def interval_over_methods(rho: float, methods: int) -> tuple[float, float]:
    """A 95 % interval of Spearman's correlation over methods (Bonett and Wright, 2000).

    At ±1 theirs would have no width: it is the one about the next correlation that ranks can have,
    prolonged to ±1.
    """
    next_to_one = 1 - 12 / (methods * (methods**2 - 1))
    inner = float(np.clip(rho, -next_to_one, next_to_one))
    error = np.sqrt((1 + inner**2 / 2) / (methods - 3))
    low, high = np.tanh(np.arctanh(inner) + stats.norm.ppf([0.025, 0.975]) * error)
    low, high = min(low, rho), max(high, rho)
    return float(low), float(high)
