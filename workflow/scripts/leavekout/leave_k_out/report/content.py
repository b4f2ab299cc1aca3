"""Sentences and tables of text for the report's sections, made from the study's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from leavekout.contract.removal import CONTROLS
from leavekout.leave_k_out.measures.measure import Measure
from leavekout.leave_k_out.measures.registry import measure as measure_of
from leavekout.leave_k_out.report.headline import (
    excess_note,
    joined_note,
    main_k,
    methods_ks,
    primary,
)
from leavekout.leave_k_out.statistics.drift import sentence as drift_sentence
from leavekout.leave_k_out.statistics.lds import agreements
from leavekout.leave_k_out.statistics.measurements import rows_of
from leavekout.leave_k_out.statistics.removals import order_beside_single
from leavekout.report.text import interval, records, rounded

SECTIONS = {
    "result": "Result",
    "pairs": "Pairs",
    "pictures": "Queries",
    "figures": "Figures",
    "repeatability": "Repeatability",
    "effect-and-cost": "Effect and cost",
    "lds": "LDS",
    "removals": "Further removals",
    "published": "Published numbers",
    "power": "Noise and power",
    "settings": "Settings",
    "cost": "Computing time",
    "provenance": "Provenance",
}
POWER_NOTE = (
    "The smallest true difference that four of five studies of a size find significant (two-sided "
    "test at 5 %). In brackets: after correction for all pairs of methods, or for all methods "
    "against random. Retrainings: models of other seeds that are averaged in each cell. Their gain "
    "is a lower bound, because retraining noise is estimated from random sets of the same K."
)


def summary(config: Mapping[str, Any], estimates: pd.DataFrame) -> str:
    """Two sentences on what was done, and the question."""
    ks = ", ".join(f"{k:,}" for k in methods_ks(estimates))
    methods, queries = len(config["methods"]), config["queries"]["test"]
    cells = rows_of(estimates, primary(estimates))["method"]
    models = queries * int((~cells.isin(CONTROLS)).sum())
    return (
        f"{methods} attribution methods ranked the training images of {queries} generated "
        f"pictures. The best K = {ks} of {config['dataset']['images']:,} were removed, and "
        f"{models:,} models were retrained from scratch without them: how much more is lost than "
        "after removing as many random images?"
    )


def methods_note(estimates: pd.DataFrame, joined: Sequence[str] = ()) -> str:
    """What the columns of the table of methods mean."""
    return (
        f"{excess_note(estimates)}. Beats, beaten by: methods that are significantly behind it, "
        "and ahead of it. Queries ahead: where its effect exceeds the mean of random removal; "
        "weakest query: where it exceeds it least. Seconds: what scoring a query costs, "
        f"preparation included.{joined_note(joined)}"
    )


def joining(joined: Sequence[str], published: Mapping[str, Any], drift: pd.DataFrame) -> str:
    """What was measured here and what elsewhere, and how far the two machines are apart."""
    made_by = published["made_by"]
    return (
        f"{', '.join(joined) or 'No method'} joined the published study {published['study']} "
        f"(commit {made_by['commit']}, PyTorch {made_by['torch']}): scored and retrained here, on "
        f"the same queries, beside models that were trained there. {drift_sentence(drift)}"
    )


def seeds(config: Mapping[str, Any]) -> str:
    """One sentence on every seed."""
    random = config["counterfactual"]["random"]["seed"]
    others = ", ".join(map(str, config["counterfactual"]["retrain_seeds"])) or "none"
    return (
        f"Seeds: training {config['training']['seed']} (other seeds, nothing removed: {others}), "
        f"queries {config['queries']['seed']}, random sets {random}, "
        f"evaluation {config['evaluation']['seed']}, Fisher {config['fisher']['seed']}, losses "
        f"{config['losses']['seed']}."
    )


def removals_text(removals: pd.DataFrame) -> pd.DataFrame:
    """Each further removal's mean of every measure on its own queries, and on other queries."""
    table = []
    for row in records(removals):
        measure = measure_of(row["measure"])
        text = {
            "measure": measure.heading,
            "removal": row["policy"],
            "removed by": row["method"],
            "K": f"{row['k']:,}",
            "images removed": f"{row['removed']:,.0f}",
            "models": f"{row['models']}",
        }
        for name, what in (("targets", "its queries"), ("others", "other queries")):
            values = (row.get(f"{name}{end}", np.nan) for end in ("", "_error", "_low", "_high"))
            text[what] = interval(*(value * measure.scale for value in values))
            text[f"{what}: AUC"] = _known(row.get(f"{name}_auc", np.nan), ".2f")
        table.append(text)
    return pd.DataFrame(table)


def order_of_unions(removals: pd.DataFrame, estimates: pd.DataFrame) -> str:
    """A sentence on whether unions order the methods as single removals do."""
    measure = primary(estimates)
    rho, p = order_beside_single(removals, estimates, measure)
    if np.isnan(rho):
        return ""
    return (
        f"By {measure.label}, the rank correlation of methods between unions and single removals "
        f"is {rho:.2f} (p = {p:.2g} for no relation)."
    )


def lds_text(lds: pd.DataFrame) -> pd.DataFrame:
    """Linear datamodeling scores, the best first."""
    table = [
        {
            "method": row["method"],
            "images removed": f"{row['k']:,}",
            "models": f"{row['n_models']}",
            "LDS": _score(row["lds"], row["low"], row["high"]),
            "SNR-LDS": _score(*(row.get(f"snr_{end}", np.nan) for end in ("lds", "low", "high"))),
        }
        for row in records(lds.sort_values(["k", "lds"], ascending=False))
    ]
    return pd.DataFrame(table)


def order_of_proxies(lds: pd.DataFrame, estimates: pd.DataFrame) -> str:
    """A sentence on how far each proxy orders the methods as retraining does."""
    measure, k = primary(estimates), main_k(estimates)
    rows = rows_of(estimates, measure, k).dropna(subset="excess")
    effects = dict(zip(rows["method"], measure.direction * rows["excess"], strict=True))
    parts = [
        f"{_known(found.rho, '.2f')} ({_known(found.low, '.2f')} to {_known(found.high, '.2f')}) "
        f"for {name} without {size:,} images"
        for size, name, found in agreements(lds, effects)
    ]
    if not parts:
        return ""
    return (
        f"Over methods, its rank correlation with the excess {measure.label} at K = {k:,} is "
        f"{', '.join(parts)} (95 % intervals over methods; 1 is the same order)."
    )


def _score(value: float, low: float, high: float) -> str:
    return interval(value, (high - low) / 4, low, high) if np.isfinite(value) else "–"


def repeatability_text(repeatability: pd.DataFrame) -> pd.DataFrame:
    """How well scores repeat, the best first."""
    table = [
        {
            "method": row["method"],
            "K": f"{row['k']:,}",
            "top K in common, %": f"{100 * row['overlap']:.0f}",
            "of the worst query": f"{100 * row['overlap_lowest']:.0f}",
            "rank correlation": f"{row['rank_correlation']:.2f}",
            "halves: top K, %": f"{100 * row['overlap_halves']:.0f}",
            "halves: correlation": f"{row['rank_correlation_halves']:.2f}",
        }
        for row in records(repeatability.sort_values(["k", "overlap"], ascending=False))
    ]
    return pd.DataFrame(table)


def variance_text(variance: pd.DataFrame) -> pd.DataFrame:
    """The parts of the variance as shares."""
    names = {
        "queries": "query",
        "retraining": "retraining",
        "of it shared by all queries": "shared",
        "evaluation": "evaluation",
    }
    table = []
    for row in records(variance):
        total, measure = row["total"] or np.nan, measure_of(row["measure"])
        table.append(
            {
                "measure": measure.label,
                "K": f"{row['k']:,}",
                "removed by": row["method"],
                "standard deviation": f"{row['total'] ** 0.5 * measure.scale:.3g}",
                **{text: _known(row[name] / total, ".0%") for text, name in names.items()},
            }
        )
    return pd.DataFrame(table)


def seeds_text(seeds: pd.DataFrame) -> pd.DataFrame:
    """Effects by ΔL of cells that were trained from two seeds."""
    loss = measure_of("delta_loss")
    table = [
        {
            "removed by": row["method"],
            "K": f"{row['k']:,}",
            "models trained twice": f"{row['cells']}",
            f"mean {loss.heading}, source's seed": f"{row['first'] * loss.scale:.3g}",
            "another seed": f"{row['second'] * loss.scale:.3g}",
            "retraining, standard deviation": _known(row["retraining"] ** 0.5 * loss.scale, ".3g"),
            "of it the method's own": _known(row["own"] ** 0.5 * loss.scale, ".3g"),
            "share of the variance": _known(row["share"], ".0%"),
            "correlation": _known(row["correlation"], ".2f"),
        }
        for row in records(seeds)
    ]
    return pd.DataFrame(table)


def _known(value: float, form: str) -> str:
    return "" if np.isnan(value) else format(value, form).replace("-", "−")


def power_text(power: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Smallest differences at the largest K: a row for each study, a column for each kind."""
    rows = rows_of(power, measure)
    rows = rows[rows["k"] == rows["k"].max()]
    table = []
    for (queries, retrainings), group in rows.groupby(["queries", "retrainings"]):
        text = {"queries": f"{queries:,}", "retrainings": f"{retrainings}"}
        for row in records(group):
            plain, corrected = (
                measure.scale * row[name] for name in ("difference", "difference_holm")
            )
            name = f"{row['comparison']}, {measure.heading}, K = {row['k']:,}"
            text[name] = f"{_difference(plain, plain)} ({_difference(corrected, plain)})"
        table.append(text)
    return pd.DataFrame(table)


def _difference(value: float, scale: float) -> str:
    if np.isnan(value):
        return "–"
    return rounded(value, scale / 4) if np.isfinite(value) else "never significant"
