"""The content of the report's sections, from tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from leavekout.leave_k_out.report import content
from leavekout.leave_k_out.report.cautions import cautions
from leavekout.leave_k_out.report.choices import choice, choices_in, dots
from leavekout.leave_k_out.report.claims import verdict
from leavekout.leave_k_out.report.headline import controls, main_k, primary, ranked
from leavekout.leave_k_out.report.looks import of_looks
from leavekout.leave_k_out.report.queries import Pictures, Values
from leavekout.leave_k_out.report.settings import published_table, settings_table
from leavekout.report.page import frame

TABLES = (
    *("estimates", "comparisons", "equivalents", "variance", "power", "lds", "ties"),
    *("repeatability", "costs", "dictionary", "intraclass"),
)


def document(
    tables: Mapping[str, pd.DataFrame],
    config: Mapping[str, Any],
    *,
    joined: Sequence[str] = (),
    published_study: Mapping[str, Any] | None = None,
    pictures: Pictures,
    published: pd.DataFrame | None,
    paper: Sequence[Mapping[str, Any]],
    clusters: Mapping[str, str],
    **page: Any,
) -> dict[str, Any]:
    """All names of the template.

    Args:
        tables: those of `TABLES`, and `measurements`, by name; `look`, which is
            tables/pictures.csv; `removals` and `seeds` if the study has such models, and `drift`
            if it joins another study.
        config: the experiment, without `hardware`.
        joined: methods that were measured here and join a published study.
        published_study: the description of that study in its bundle; see `manifest.About`.
        published: the papers' numbers, if the experiment is theirs.
        paper: the papers' settings; see `settings.settings_table`.
        clusters: of all queries that are planned, in order; looks need them.
        page: the other arguments of `page.frame`.
    """
    estimates, removals = tables["estimates"], tables.get("removals")
    looks = config["counterfactual"].get("looks")
    absent = {"published": published is None, "removals": removals is None}
    values, chosen = Values(tables["measurements"]), choices_in(estimates)
    choices = [choice(tables, values, measure, k, joined) for measure, k in chosen]
    return {
        **frame(config, tables, **page),
        "summary": content.summary(config, estimates),
        "sections": {key: name for key, name in content.SECTIONS.items() if not absent.get(key)},
        "verdict": verdict(estimates, tables["comparisons"]),
        "best": ranked(estimates, main_k(estimates))[0],
        "cautions": cautions(
            estimates=estimates,
            equivalents=tables["equivalents"],
            ties=tables["ties"],
            repeatability=tables["repeatability"],
            intraclass=tables.get("intraclass"),
            drift=tables.get("drift"),
            pictures=tables.get("look"),
            seeds=tables.get("seeds"),
            at_look=of_looks(estimates, tables["comparisons"], looks, clusters) if looks else None,
        ),
        "choices": choices,
        "measures": {measure.name: measure for measure, _ in chosen},
        "methods_note": content.methods_note(estimates, joined),
        "pictures": pictures,
        "queries": pictures.views(values, chosen),
        "n_queries": config["queries"]["test"],
        "study": dots(tables, pictures.prompts, values, choices),
        "joining": None
        if published_study is None
        else content.joining(joined, published_study, tables["drift"]),
        "controls": controls(estimates),
        "removals": None if removals is None else content.removals_text(removals),
        "unions": "" if removals is None else content.order_of_unions(removals, estimates),
        "repeatability": content.repeatability_text(tables["repeatability"]),
        "lds": content.lds_text(tables["lds"]),
        "proxy": content.order_of_proxies(tables["lds"], estimates),
        "published": None if published is None else published_table(estimates, published),
        "variance": content.variance_text(tables["variance"]),
        "seeds_twice": content.seeds_text(tables["seeds"]) if "seeds" in tables else None,
        "power": content.power_text(tables["power"], primary(estimates)),
        "power_note": content.POWER_NOTE,
        "settings": settings_table(config, paper),
        "seeds": content.seeds(config),
    }
