"""The content of the report on customized models, from tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leavekout.customized.retrieval import MEASURES
from leavekout.report.gallery import Picture, Row
from leavekout.report.page import frame
from leavekout.report.text import keyed, pairs_text, records, significant_pairs

TABLES = ("retrievals", "summary", "comparisons", "dictionary")
SECTIONS = {
    "result": "Result",
    "claims": "Claims",
    "models": "Models",
    "pictures": "Queries",
    "cost": "Cost",
    "provenance": "Provenance",
}
KINDS = {"object": "object models", "style": "style models", "all": "all models"}
NOTE = (
    "Mean over queries ± 1 standard error over queries, as in the papers; in brackets the 95 % "
    "interval over models. Queries of one model share its exemplars and its weights, so the "
    "papers' error is too small. A dash: one model has no interval."
)
MODELS_NOTE = "mAP, the mean over each model's queries. Exemplars: how many are hidden in the pool."
_FEW_MODELS = 5


@dataclass(frozen=True)
class CustomizedPictures:
    """One query of a customized model: its exemplars, and what methods select."""

    name: str
    prompt: str
    generated: Picture
    exemplars: Sequence[Row]
    attributed: Sequence[Row]


def verdict(summary: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """What the first measure shows over all models, in one or two sentences."""
    measure, kind = next(iter(MEASURES)), summary["kind"].iloc[-1]
    rows = summary[(summary["measure"] == measure) & (summary["kind"] == kind)]
    order = rows.sort_values("mean", ascending=False, kind="stable")
    best = next(iter(records(order)))
    bounds = "" if np.isnan(best["low"]) else f" ({best['low']:.2f} to {best['high']:.2f})"
    value = f"{MEASURES[measure]} of {best['mean']:.2f}{bounds}"
    models = f"{best['models']} model{'s' if best['models'] > 1 else ''}"
    where = f"mean over {best['queries']} queries of {models}"
    if len(order) == 1:
        return f"{best['method']} reaches {value}, {where}."
    sentence = f"Of {len(order)} methods, {best['method']} has the highest {value}, {where}."
    pairs = comparisons[(comparisons["measure"] == measure) & (comparisons["kind"] == kind)]
    if len(pairs):
        significant = pairs[pairs["distinguishable"].astype(bool)]
        behind = int((significant["ahead"] == best["method"]).sum())
        sentence += (
            f" It is significantly different from {behind or 'none'} of the {len(order) - 1} "
            f"others, and {len(significant)} of {len(pairs)} pairs of methods are significantly "
            "different."
        )
    return sentence


def headlines(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each measure one row of text for each method, the best mean over all models first."""
    by_method = keyed(summary, "kind", "measure", "method")
    kinds = list(dict.fromkeys(summary["kind"]))
    tables = {}
    for measure, label in MEASURES.items():
        overall = summary[(summary["kind"] == kinds[-1]) & (summary["measure"] == measure)]
        methods = overall.sort_values("mean", ascending=False, kind="stable")["method"]
        tables[label] = pd.DataFrame(
            {"method": m, **{KINDS[kind]: _mean(by_method[kind, measure, m]) for kind in kinds}}
            for m in methods
        )
    return tables


def _mean(row: Mapping[str, Any]) -> str:
    error = "" if np.isnan(row["se"]) else f" ± {row['se']:.2f}"
    interval = "–" if np.isnan(row["low"]) else f"{row['low']:.2f} to {row['high']:.2f}"
    return f"{row['mean']:.2f}{error} ({interval})"


def _pairs(comparisons: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The comparisons of each measure and kind, by a title."""
    return {
        f"{MEASURES[str(measure)]}, {KINDS[str(kind)]}": rows
        for (measure, kind), rows in comparisons.groupby(["measure", "kind"], sort=False)
    }


def pairs_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Pairs of methods as text, significantly different ones first."""
    names = {"p_holm": "p_corrected", "models": "count", "models_ahead": "count_ahead"}
    return pairs_text(comparisons.rename(columns=names), over="models")


def models_table(retrievals: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Each model's mean of a measure by each method, as text."""
    rows = []
    for model, of_model in retrievals.groupby("model", sort=False):
        means = of_model.groupby("method", sort=False)[measure].mean()
        rows.append(
            {
                "model": str(model),
                "kind": of_model["kind"].iloc[0],
                "exemplars": f"{of_model['exemplars'].iloc[0]}",
                **{str(method): f"{mean:.2f}" for method, mean in means.items()},
            }
        )
    return pd.DataFrame(rows)


def cautions(retrievals: pd.DataFrame) -> list[str]:
    """What a reader has to be warned of."""
    warnings = []
    for kind, models in retrievals.groupby("kind")["model"].nunique().items():
        if models < _FEW_MODELS:
            warnings.append(
                f"Only {models} {kind} model{'s' if models > 1 else ''}: "
                + ("the intervals are wide." if models > 1 else "there is no interval.")
            )
    pool = (retrievals["candidates"] - retrievals["exemplars"]).iloc[0]
    if pool < 10_000:
        warnings.append(
            f"The pool has {pool:,} images. The papers hide exemplars among 100,000, where "
            "they are harder to find."
        )
    return warnings


def document(
    tables: Mapping[str, pd.DataFrame],
    config: Mapping[str, Any],
    *,
    gallery: Sequence[CustomizedPictures],
    **page: Any,
) -> dict[str, Any]:
    """All names of the template.

    Args:
        tables: those of `TABLES`, by name.
        config: the experiment, without `hardware`.
        page: the other arguments of `page.frame`.
    """
    retrievals, comparisons = tables["retrievals"], tables["comparisons"]
    models, queries = retrievals["model"].nunique(), retrievals["query"].nunique()
    shown = "All" if len(gallery) == queries else f"{len(gallery)} of {queries}"
    pairs = _pairs(comparisons)
    return {
        **frame(config, tables, **page),
        "gallery": gallery,
        "summary": (
            f"{models} models were customized on a few exemplars each, and generated {queries} "
            f"pictures. {retrievals['method'].nunique()} attribution methods rank the exemplars "
            f"among {config['dataset']['images']:,} other images: how many do they find?"
        ),
        "sections": SECTIONS,
        "verdict": verdict(tables["summary"], comparisons),
        "cautions": cautions(retrievals),
        "headlines": headlines(tables["summary"]),
        "headline_note": NOTE,
        "claims": [f"{title}: {significant_pairs(rows)}" for title, rows in pairs.items()],
        "pairs": {title: pairs_table(rows) for title, rows in pairs.items()},
        "models": models_table(retrievals, "average_precision"),
        "models_note": MODELS_NOTE,
        "gallery_note": f"{shown} queries; all are in figures/attributed.",
        "seeds": _seeds(config),
    }


def _seeds(config: Mapping[str, Any]) -> str:
    training = config["customized"]["training"]
    customized = "" if training is None else f"customization {training['seed']}, "
    return (
        f"Seeds: {customized}queries {config['queries']['seed']}, Fisher "
        f"{config['fisher']['seed']}, losses {config['losses']['seed']}."
    )
