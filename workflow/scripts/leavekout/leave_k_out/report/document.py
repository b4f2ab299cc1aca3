"""The report's content, section by section, from tables and pictures."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report import content
from leavekout.leave_k_out.report.cautions import cautions
from leavekout.leave_k_out.report.claims import claims, pairs_table, verdict
from leavekout.leave_k_out.report.headline import controls, headline, main_k, note, primary, ranked
from leavekout.leave_k_out.report.settings import published_table, settings_table
from leavekout.report.gallery import QueryPictures, lead
from leavekout.report.provenance import cost_text, of_versions

TABLES = (
    "estimates",
    "comparisons",
    "equivalents",
    "variance",
    "power",
    "lds",
    "ties",
    "repeatability",
    "dictionary",
)


def document(
    tables: Mapping[str, pd.DataFrame],
    config: Mapping[str, Any],
    *,
    joined: Sequence[str] = (),
    published_study: Mapping[str, Any] | None = None,
    figures: Mapping[str, str],
    gallery: Sequence[QueryPictures],
    large: bool,
    versions: pd.DataFrame,
    costs: pd.DataFrame,
    afterwards: Collection[str],
    published: pd.DataFrame | None,
    paper: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """All that the template names.

    Args:
        tables: those of `TABLES`, by name; `removals` and `seeds` where the study has any, and
            `drift` where it joins another.
        config: the experiment, without `hardware`.
        joined: methods that were measured here, beside those of the study that was joined.
        published_study: what that study's bundle says of itself; see `bundle.files.Bundle`.
        figures: addresses of the figures' data, by name.
        large: whether the gallery's pictures were shrunk, and should be drawn smoothly.
        versions, costs: see `provenance.py`; afterwards: see `of_versions`.
        published: the papers' numbers, where the experiment is theirs.
        paper: the papers' settings, see `settings.settings_table`.
    """
    estimates, comparisons = tables["estimates"], tables["comparisons"]
    equivalents = tables["equivalents"]
    sections = dict(content.SECTIONS)
    if published is None:
        del sections["published"]
    removals = tables.get("removals")
    if removals is None:
        del sections["removals"]
    k = main_k(estimates)
    total = config["queries"]["test"]
    shown = "All" if len(gallery) == total else f"The first {len(gallery)} of {total}"
    return {
        "experiment": config["experiment"],
        "summary": content.summary(config, estimates),
        "sections": sections,
        "voiding": of_versions(versions, afterwards),
        "verdict": verdict(estimates, comparisons),
        "lead": lead(gallery, ranked(estimates, k)[0], f"K = {k:,}"),
        "cautions": cautions(
            estimates=estimates,
            equivalents=equivalents,
            ties=tables["ties"],
            repeatability=tables["repeatability"],
            drift=tables.get("drift"),
        ),
        "headline": headline(estimates, comparisons, equivalents, joined),
        "headline_note": note(estimates, joined),
        "joining": None
        if published_study is None
        else content.joining(joined, published_study, tables["drift"]),
        "controls": controls(estimates),
        "claims": claims(estimates, comparisons),
        "pairs": {
            f"K = {k:,}, {measure.label}": pairs_table(comparisons, k, measure)
            for measure in measures_in(estimates["measure"])
        },
        "figures": figures,
        "equivalents": content.equivalents_text(equivalents, estimates),
        "removals": None if removals is None else content.removals_text(removals),
        "unions": "" if removals is None else content.order_of_unions(removals, estimates),
        "repeatability": content.repeatability_text(tables["repeatability"]),
        "lds": content.lds_text(tables["lds"]),
        "published": None if published is None else published_table(estimates, published),
        "gallery": gallery,
        "gallery_note": f"{shown} queries; also in figures/attributed and figures/regenerated.",
        "large": large,
        "variance": content.variance_text(tables["variance"]),
        "seeds_twice": None if "seeds" not in tables else content.seeds_text(tables["seeds"]),
        "power": content.power_text(tables["power"], primary(estimates)),
        "power_note": content.POWER_NOTE,
        "settings": settings_table(config, paper),
        "cost": cost_text(costs),
        "seeds": content.seeds(config),
        "versions": versions.astype(str),
        "dictionary": tables["dictionary"],
        "configuration": yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
    }
