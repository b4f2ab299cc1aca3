"""What a reader has to be warned of, in one sentence each."""

import pandas as pd

from leavekout.contract.removal import NO_REMOVAL, RANDOM
from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.report.headline import methods_ks
from leavekout.leave_k_out.report.pictures import of_pictures
from leavekout.leave_k_out.statistics.drift import SMALL as SMALL_DRIFT
from leavekout.leave_k_out.statistics.seeds import ALL
from leavekout.report.text import records

FEW_MODELS = 5
FEW_CLUSTERS = 20
REPEATS = 0.9  # the share of the top K that should be selected again


def cautions(
    *,
    estimates: pd.DataFrame,
    equivalents: pd.DataFrame,
    ties: pd.DataFrame,
    repeatability: pd.DataFrame,
    intraclass: pd.DataFrame | None = None,
    drift: pd.DataFrame | None = None,
    pictures: pd.DataFrame | None = None,
    seeds: pd.DataFrame | None = None,
    at_look: str | None = None,
) -> list[str]:
    """Warnings from the tables of these names, the gravest first.

    Warnings of `of_versions` may void the whole result, so the page shows them first, elsewhere.

    Args:
        at_look: of `looks.of_looks`, in a study that has planned looks.
    """
    return [
        *([] if drift is None else _of_drift(drift)),
        *([] if pictures is None else of_pictures(pictures)),
        *([] if at_look is None else [at_look]),
        *_of_queries(estimates, intraclass),
        *_of_models(estimates),
        *([] if seeds is None else _of_seeds(seeds)),
        *_of_repeatability(repeatability),
        *_of_ties(ties),
        *_of_random_curve(equivalents),
    ]


def _of_drift(drift: pd.DataFrame) -> list[str]:
    large = drift[drift["share"] > SMALL_DRIFT]
    if large.empty:
        return []
    shares = ", ".join(
        f"{measure_of(row['measure']).label} {100 * row['share']:.0f} %" for row in records(large)
    )
    return [
        "This machine has drifted from the one that trained the published models: retraining the "
        f"source model moves it by more than {100 * SMALL_DRIFT:.0f} % of the methods' median "
        f"effect ({shares}). This adds to the effects of the joined methods alone."
    ]


def _of_queries(estimates: pd.DataFrame, intraclass: pd.DataFrame | None) -> list[str]:
    queries, clusters = int(estimates["n_queries"].max()), int(estimates["n_clusters"].max())
    if queries < 2:
        return ["One query: the results say nothing about other queries, and have no intervals."]
    if clusters < 2:
        return [
            f"One cluster: the prompts of the {queries} queries name the same topic "
            "(tables/clusters.csv), so they count as one. The results say nothing about other "
            "queries, and intervals, tests and power cannot be computed."
        ]
    warnings = []
    if clusters < queries:
        warnings.append(
            f"Queries on the same topic: by their prompts, the {queries} queries make {clusters} "
            "clusters, and intervals and tests count clusters (tables/clusters.csv)."
            f"{_correlations(intraclass)} Numbers of queries needed assume that further queries "
            "bring new clusters at this rate."
        )
    if clusters < FEW_CLUSTERS:
        warnings.append(
            f"Few independent queries: with {clusters}, only large differences can be shown, and "
            "intervals of strongly skewed effects are somewhat too narrow (docs/statistics.md)."
        )
    return warnings


def _correlations(intraclass: pd.DataFrame | None) -> str:
    """How alike the queries of a cluster are, at the largest K."""
    if intraclass is None or intraclass["correlation"].isna().all():
        return ""
    rows = intraclass.dropna(subset="correlation")
    rows = rows[rows["k"] == rows["k"].max()]
    text = ", ".join(
        f"{row['correlation']:.2f} by {measure_of(row['measure']).label} (p = {row['p']:.2g})"
        for row in records(rows)
    )
    return f" Within clusters, differences of methods correlate at {text}.".replace("-0.", "−0.")


def _of_models(estimates: pd.DataFrame) -> list[str]:
    warnings = []
    controls = estimates[
        (estimates["method"] == RANDOM) & estimates["k"].isin(methods_ks(estimates))
    ]
    sets = int(controls["n_models"].min()) if len(controls) else 0
    if sets < 2:
        warnings.append(
            f"{sets} random set at the methods' K: intervals of the excess cover queries alone, "
            "because one model does not show its noise (counterfactual.random.sets)."
        )
    elif sets < FEW_MODELS:
        warnings.append(f"Only {sets} random sets: more models would make the intervals narrower.")
    floor = estimates[estimates["method"] == NO_REMOVAL]
    seeds = int(floor["n_models"].max()) if len(floor) else 0
    if seeds == 0:
        warnings.append(
            "No training with another seed: no noise floor (counterfactual.retrain_seeds)."
        )
    elif seeds == 1:
        warnings.append(
            "One training with another seed: the noise floor's interval covers queries alone "
            "(counterfactual.retrain_seeds)."
        )
    return warnings


def _of_seeds(seeds: pd.DataFrame) -> list[str]:
    """How much smaller effects are that were measured from another seed's model."""
    loss = measure_of("delta_loss")
    return [
        f"One source model: of {row['cells']} models at K = {row['k']:,} that were trained again "
        f"from another seed, the mean {loss.heading} is {row['second'] * loss.scale:.3g} beyond "
        f"that seed's model, and {row['first'] * loss.scale:.3g} from the source's seed. The "
        "results are about the pictures of this source model (“Models trained twice”, below)."
        for row in records(seeds[seeds["method"] == ALL])
    ]


def _of_repeatability(repeatability: pd.DataFrame) -> list[str]:
    warnings = []
    for k, rows in repeatability[repeatability["overlap"] < REPEATS].groupby("k"):
        shares = ", ".join(f"{r['method']} {100 * r['overlap']:.0f} %" for r in records(rows))
        warnings.append(
            "Scores that do not repeat: with new noise, fewer than "
            f"{100 * REPEATS:.0f} % of the top {k:,} would be selected again ({shares}). Which "
            "images were removed is partly luck; more draws of noise reduce it ('losses.draws', "
            "'draws' of gradients)."
        )
    return warnings


def _of_ties(ties: pd.DataFrame) -> list[str]:
    warnings = []
    for (method, k), rows in ties[ties["tied"] > 0].groupby(["method", "k"]):
        total = len(ties[(ties["method"] == method) & (ties["k"] == k)])
        warnings.append(
            f"Ties: {method} gives the score at rank K = {k:,} to {rows['tied'].median():,.0f} "
            f"more images (median of {len(rows)} of {total} queries), so the choice among them is "
            "arbitrary."
        )
    return warnings


def _of_random_curve(equivalents: pd.DataFrame) -> list[str]:
    beyond = equivalents["equivalent_censored"].astype(bool)
    if not beyond.any():
        return []
    end = equivalents.loc[beyond, "equivalent"].max()
    return [
        f"The random curve ends at {end:,.0f} images, and {beyond.sum()} of {len(equivalents)} "
        "random equivalents are beyond its end (counterfactual.random.k)."
    ]
