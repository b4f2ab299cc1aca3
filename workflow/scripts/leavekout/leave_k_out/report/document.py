"""The content of the report's sections, from tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leavekout.leave_k_out.measures.registry import measures_in
from leavekout.leave_k_out.report import content
from leavekout.leave_k_out.report.cautions import cautions
from leavekout.leave_k_out.report.claims import claims, pairs_table, verdict
from leavekout.leave_k_out.report.headline import controls, headline, main_k, note, primary, ranked
from leavekout.leave_k_out.report.settings import published_table, settings_table
from leavekout.report.gallery import QueryPictures, lead
from leavekout.report.page import frame

TABLES = (
    *("estimates", "comparisons", "equivalents", "variance", "power", "lds", "ties"),
    *("repeatability", "dictionary", "intraclass"),
)


def document(
    tables: Mapping[str, pd.DataFrame],
    config: Mapping[str, Any],
    *,
    joined: Sequence[str] = (),
    published_study: Mapping[str, Any] | None = None,
    gallery: Sequence[QueryPictures],
    published: pd.DataFrame | None,
    paper: Sequence[Mapping[str, Any]],
    **page: Any,
) -> dict[str, Any]:
    """All names of the template.

    Args:
        tables: those of `TABLES`, by name; `removals` and `seeds` if the study has such models, and
            `drift` if it joins another study.
        config: the experiment, without `hardware`.
        joined: methods that were measured here and join a published study.
        published_study: the description of that study in its bundle; see `manifest.About`.
        published: the papers' numbers, if the experiment is theirs.
        paper: the papers' settings; see `settings.settings_table`.
        page: the other arguments of `page.frame`.
    """
    estimates, comparisons = tables["estimates"], tables["comparisons"]
    equivalents, removals = tables["equivalents"], tables.get("removals")
    absent = {"published": published is None, "removals": removals is None}
    k, total = main_k(estimates), config["queries"]["test"]
    shown = "All" if len(gallery) == total else f"The first {len(gallery)} of {total}"
    return {
        **frame(config, tables, gallery=gallery, **page),
        "summary": content.summary(config, estimates),
        "sections": {key: name for key, name in content.SECTIONS.items() if not absent.get(key)},
        "verdict": verdict(estimates, comparisons),
        "lead": lead(gallery, ranked(estimates, k)[0], k),
        "cautions": cautions(
            estimates=estimates,
            equivalents=equivalents,
            ties=tables["ties"],
            repeatability=tables["repeatability"],
            intraclass=tables.get("intraclass"),
            drift=tables.get("drift"),
            looks=config["counterfactual"].get("looks"),
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
        "equivalents": content.equivalents_text(equivalents, estimates),
        "removals": None if removals is None else content.removals_text(removals),
        "unions": "" if removals is None else content.order_of_unions(removals, estimates),
        "repeatability": content.repeatability_text(tables["repeatability"]),
        "lds": content.lds_text(tables["lds"]),
        "published": None if published is None else published_table(estimates, published),
        "gallery_note": f"{shown} queries; also in figures/attributed and figures/regenerated.",
        "variance": content.variance_text(tables["variance"]),
        "seeds_twice": content.seeds_text(tables["seeds"]) if "seeds" in tables else None,
        "power": content.power_text(tables["power"], primary(estimates)),
        "power_note": content.POWER_NOTE,
        "settings": settings_table(config, paper),
        "seeds": content.seeds(config),
    }
