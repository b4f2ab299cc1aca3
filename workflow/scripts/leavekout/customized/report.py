"""The content of the report on customized models, from tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import yaml

from leavekout.customized.retrieval import MEASURES
from leavekout.report.gallery import Picture, Row
from leavekout.report.provenance import cost_text, of_versions
from leavekout.report.text import interval, keyed, p_value, records, significant_pairs

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
    "Mean over queries ± 1 standard error over queries, as in the papers, and in brackets the 95 % "
    "interval over models: queries of one model share its exemplars and its weights, so that the "
    "papers' error is too small. A dash: one model alone shows no interval."
)
MODELS_NOTE = (
    "mAP, the mean over each model's queries. Exemplars: how many there are to find in the pool."
)
_FEW_MODELS = 5


@dataclass(frozen=True)
class CustomizedPictures:
    """One query of a customized model: its exemplars, and what methods name."""

    name: str
    prompt: str
    generated: Picture
    exemplars: Sequence[Row]
    attributed: Sequence[Row]


def verdict(summary: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """What the first measure says over all models, in one or two sentences."""
    measure, kind = next(iter(MEASURES)), summary["kind"].iloc[-1]
    here = summary[(summary["measure"] == measure) & (summary["kind"] == kind)]
    order = here.sort_values("mean", ascending=False, kind="stable")
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
        told = pairs[pairs["distinguishable"].astype(bool)]
        behind = int((told["ahead"] == best["method"]).sum())
        sentence += (
            f" It can be told from {behind or 'none'} of the {len(order) - 1} others, and "
            f"{len(told)} of {len(pairs)} pairs of methods can be told apart."
        )
    return sentence


def headlines(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each measure one row of text for each method, the best mean over all models first."""
    found = keyed(summary, "kind", "measure", "method")
    kinds = list(dict.fromkeys(summary["kind"]))
    tables = {}
    for measure, label in MEASURES.items():
        overall = summary[(summary["kind"] == kinds[-1]) & (summary["measure"] == measure)]
        tables[label] = pd.DataFrame(
            [
                {
                    "method": method,
                    **{KINDS[kind]: _mean(found[kind, measure, method]) for kind in kinds},
                }
                for method in overall.sort_values("mean", ascending=False, kind="stable")["method"]
            ]
        )
    return tables


def _mean(row: Mapping[str, Any]) -> str:
    error = "" if np.isnan(row["se"]) else f" ± {row['se']:.2f}"
    if np.isnan(row["low"]):
        return f"{row['mean']:.2f}{error} (–)"
    return f"{row['mean']:.2f}{error} ({row['low']:.2f} to {row['high']:.2f})"


def claims(comparisons: pd.DataFrame) -> list[str]:
    """Sentences on the pairs of methods for each measure and kind."""
    return [
        f"{MEASURES[measure]}, {KINDS[kind]}: {significant_pairs(rows)}"
        for (measure, kind), rows in _groups(comparisons)
    ]


def _groups(comparisons: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """The comparisons of each measure and kind."""
    if comparisons.empty:
        return []
    groups = comparisons.groupby(["measure", "kind"], sort=False)
    return [((str(measure), str(kind)), rows) for (measure, kind), rows in groups]


def pairs_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Pairs of methods as text, those told apart first."""
    return pd.DataFrame(
        [
            {
                "ahead": row["ahead"],
                "behind": row["behind"],
                "difference": interval(
                    row["difference"], (row["high"] - row["low"]) / 4, row["low"], row["high"]
                ),
                "models ahead": f"{row['models_ahead']} of {row['models']}",
                "p": p_value(row["p"]),
                "corrected p": p_value(row["p_holm"]),
                "told apart": "yes" if row["distinguishable"] else "no",
            }
            for row in records(comparisons.sort_values(["p_holm", "p"], kind="stable"))
        ]
    )


def models_table(retrievals: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Each model's mean of a measure by each method, as text."""
    rows = []
    for model, part in retrievals.groupby("model", sort=False):
        means = part.groupby("method", sort=False)[measure].mean()
        about = part.iloc[0]
        rows.append(
            {
                "model": str(model),
                "kind": about["kind"],
                "exemplars": f"{about['exemplars']}",
                **{str(method): f"{mean:.2f}" for method, mean in means.items()},
            }
        )
    return pd.DataFrame(rows)


def cautions(retrievals: pd.DataFrame) -> list[str]:
    """What a reader has to be warned of."""
    said = []
    for kind, models in retrievals.groupby("kind")["model"].nunique().items():
        if models < _FEW_MODELS:
            said.append(
                f"Only {models} {kind} model{'s' if models > 1 else ''}: "
                + ("the intervals are wide." if models > 1 else "no interval can be given.")
            )
    pool = (retrievals["candidates"] - retrievals["exemplars"]).iloc[0]
    if pool < 10_000:
        said.append(
            f"The pool holds {pool:,} images; the papers hide exemplars among 100,000, where "
            "finding them is harder."
        )
    return said


def document(
    tables: Mapping[str, pd.DataFrame],
    config: Mapping[str, Any],
    *,
    figures: Mapping[str, str],
    gallery: Sequence[CustomizedPictures],
    large: bool,
    versions: pd.DataFrame,
    costs: pd.DataFrame,
) -> dict[str, Any]:
    """All that the template names; arguments as in `report.document`."""
    retrievals, comparisons = tables["retrievals"], tables["comparisons"]
    models, queries = retrievals["model"].nunique(), retrievals["query"].nunique()
    shown = "All" if len(gallery) == queries else f"{len(gallery)} of {queries}"
    return {
        "experiment": config["experiment"],
        "summary": (
            f"{models} models were customized on a few exemplars each, and generated {queries} "
            f"pictures. {retrievals['method'].nunique()} attribution methods rank the exemplars "
            f"among {config['dataset']['images']:,} other images: how many do they find?"
        ),
        "sections": SECTIONS,
        "verdict": verdict(tables["summary"], comparisons),
        "voiding": of_versions(versions),
        "cautions": cautions(retrievals),
        "headlines": headlines(tables["summary"]),
        "headline_note": NOTE,
        "figures": figures,
        "claims": claims(comparisons),
        "pairs": {
            f"{MEASURES[measure]}, {KINDS[kind]}": pairs_table(rows)
            for (measure, kind), rows in _groups(comparisons)
        },
        "models": models_table(retrievals, "average_precision"),
        "models_note": MODELS_NOTE,
        "gallery": gallery,
        "gallery_note": f"{shown} queries; all are in figures/attributed.",
        "large": large,
        "cost": cost_text(costs),
        "seeds": _seeds(config),
        "versions": versions.astype(str),
        "dictionary": tables["dictionary"],
        "configuration": yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
    }


def _seeds(config: Mapping[str, Any]) -> str:
    own = config["customized"]["training"]
    customized = "" if own is None else f"customization {own['seed']}, "
    return (
        f"Seeds: {customized}queries {config['queries']['seed']}, Fisher "
        f"{config['fisher']['seed']}, losses {config['losses']['seed']}."
    )
