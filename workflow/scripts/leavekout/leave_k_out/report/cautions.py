"""What a reader has to be warned of, in one sentence each."""

import math

import pandas as pd

from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.report.headline import methods_ks
from leavekout.leave_k_out.statistics.drift import SMALL as SMALL_DRIFT
from leavekout.leave_k_out.statistics.measurements import CONTROL, NO_REMOVAL
from leavekout.statistics.significance import LEVEL

FEW_MODELS = 5
FEW_CLUSTERS = 20
REPEATS = 0.9  # of the top K, which another draw should name again


def cautions(
    *,
    estimates: pd.DataFrame,
    equivalents: pd.DataFrame,
    ties: pd.DataFrame,
    repeatability: pd.DataFrame,
    drift: pd.DataFrame | None = None,
) -> list[str]:
    """Warnings that the tables of these names give, the gravest first.

    Those of `of_versions` are apart: they may void the whole result, so they stand before it.
    """
    return [
        *([] if drift is None else _of_drift(drift)),
        *_of_queries(estimates),
        *_of_models(estimates),
        *_of_repeatability(repeatability),
        *_of_ties(ties),
        *_of_random_curve(equivalents),
    ]


def _of_drift(drift: pd.DataFrame) -> list[str]:
    large = drift[drift["share"] > SMALL_DRIFT]
    if large.empty:
        return []
    shares = ", ".join(
        f"{measure_of(row['measure']).label} {100 * row['share']:.0f} %"
        for row in large.to_dict("records")
    )
    return [
        "This machine has drifted from the one that trained the published models: training the "
        f"source again moves it by more than {100 * SMALL_DRIFT:.0f} % of the methods' median "
        f"effect ({shares}), which is added to the joined methods' effects alone."
    ]


def _of_queries(estimates: pd.DataFrame) -> list[str]:
    queries, clusters = int(estimates["n_queries"].max()), int(estimates["n_clusters"].max())
    if queries < 2:
        return ["One query: nothing can be said of other queries, and no interval be given."]
    said = []
    if clusters < queries:
        alike = f"{clusters} cluster{'s' if clusters > 1 else ''}"
        said.append(
            f"Queries that resemble each other: the {queries} queries make {alike} by their "
            "nearest training images, so intervals and tests count clusters (tables/clusters.csv). "
            "Numbers of queries needed hold only if further ones bring as many new clusters."
        )
    if clusters < FEW_CLUSTERS:
        said.append(
            f"Few independent queries: with {clusters}, sign flips rely on differences being as "
            "likely to have the other sign; where their distribution is skewed, more than 5 % of "
            "studies without any difference would report one (docs/statistics.md)."
        )
    if 2.0 ** (1 - clusters) > LEVEL:
        fewest = math.ceil(1 - math.log2(LEVEL))
        said.append(
            f"Too few queries to tell methods apart, or from random removal: with {clusters} that "
            f"are independent no sign-flip test can reach p ≤ {LEVEL}, whatever the data; at least "
            f"{fewest} are needed."
        )
    return said


def _of_models(estimates: pd.DataFrame) -> list[str]:
    said = []
    ks = methods_ks(estimates)
    controls = estimates[(estimates["method"] == CONTROL) & estimates["k"].isin(ks)]
    sets = int(controls["n_models"].min()) if len(controls) else 0
    if sets < 2:
        said.append(
            f"{sets} random set at the methods' K: intervals of the excess are over queries alone, "
            "since one model does not show its noise (counterfactual.random.sets)."
        )
    elif sets < FEW_MODELS:
        said.append(f"Only {sets} random sets: the intervals are wide for want of models.")
    floor = estimates[estimates["method"] == NO_REMOVAL]
    seeds = int(floor["n_models"].max()) if len(floor) else 0
    if seeds == 0:
        said.append("No training of another seed: no noise floor (counterfactual.retrain_seeds).")
    elif seeds == 1:
        said.append(
            "One training of another seed: the noise floor's interval is over queries alone "
            "(counterfactual.retrain_seeds)."
        )
    return said


def _of_repeatability(repeatability: pd.DataFrame) -> list[str]:
    said = []
    for k, rows in repeatability[repeatability["overlap"] < REPEATS].groupby("k"):
        shares = ", ".join(
            f"{method} {100 * share:.0f} %"
            for method, share in zip(rows["method"], rows["overlap"], strict=True)
        )
        said.append(
            "Scores that repeat badly: with other draws of noise, fewer than "
            f"{100 * REPEATS:.0f} % of the top {k:,} would be named again ({shares}). What was "
            "removed is partly luck; more draws of noise would mend it ('losses.draws', 'draws' of "
            "gradients)."
        )
    return said


def _of_ties(ties: pd.DataFrame) -> list[str]:
    said = []
    for (method, k), rows in ties[ties["tied"] > 0].groupby(["method", "k"]):
        total = len(ties[(ties["method"] == method) & (ties["k"] == k)])
        said.append(
            f"Ties: {method} gives the score at rank K = {k:,} to {rows['tied'].median():,.0f} "
            f"images more (median of {len(rows)} of {total} queries), so that which of them were "
            "removed is arbitrary."
        )
    return said


def _of_random_curve(equivalents: pd.DataFrame) -> list[str]:
    beyond = equivalents["equivalent_censored"].astype(bool)
    if not beyond.any():
        return []
    end = equivalents.loc[beyond, "equivalent"].max()
    return [
        f"The random curve ends at {end:,.0f} images, and {beyond.sum()} of {len(equivalents)} "
        "random equivalents lie beyond it (counterfactual.random.k)."
    ]
