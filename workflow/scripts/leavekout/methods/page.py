"""The site's page of each method, and their list."""

from collections.abc import Mapping, Sequence

import pandas as pd

from leavekout.config.experiment import Experiment
from leavekout.methods.facts import Facts, settings
from leavekout.report.site import Site, StudyResults, markdown_table, relative, side_bar

FACTS_FROM, SETTINGS_FROM = "docs/methods.md", "config/README.md"
INDEX = "methods/index.md"


def page_of_method(method: str) -> str:
    """The place of a method's page."""
    return f"methods/{method}.md"


def method_page(
    site: Site,
    method: str,
    facts: Facts | None,
    results: Mapping[str, StudyResults],
    experiments: Mapping[str, Experiment],
    credits: Sequence[str],
) -> str:
    """A method's page: what it is, its results, its cost, whether it repeats, its settings.

    Args:
        facts: of a method that docs/methods.md lists.
        results: of the studies that have it; experiments: of those whose configuration has it.
        credits: who contributed it, for each study, as Markdown; none if it is ours.
    """
    page = page_of_method(method)
    parts = [f"# `{method}`", *credits]
    if facts is not None:
        parts += [_described(site, facts, page)]
    elif not credits:
        parts += ["A variant under a name of its own; its settings are below."]
    parts += ["## Results", *_results(method, page, results)]
    rows = [
        {"study": _study(name, page), **repeats}
        for name, one in results.items()
        if (repeats := one.repeats.get(method)) and {*repeats.values()} != {"–"}
    ]
    if rows:
        parts += ["## Cost and repeatability", markdown_table(pd.DataFrame(rows))]
    table = settings(method, experiments)
    if not table.empty:
        meanings = [site.rewritten(text, SETTINGS_FROM, page) for text in table["meaning"]]
        parts += ["## Settings", markdown_table(table.assign(meaning=meanings))]
    return "\n\n".join(parts) + "\n"


def _described(site: Site, facts: Facts, page: str) -> str:
    lines = [site.rewritten(facts.how, FACTS_FROM, page) + "."]
    if facts.paper:
        lines.append(f"**Paper.** {site.rewritten(facts.paper, FACTS_FROM, page)}")
    lines.append(f"**Family.** `{facts.family}` ([all methods](index.md))")
    lines.append(f"**Code.** {facts.where} below `workflow/scripts/leavekout/`")
    return "\n\n".join(lines)


def _results(method: str, page: str, results: Mapping[str, StudyResults]) -> list[str]:
    """The method's rows: one table for all studies that have the same columns."""
    by_columns: dict[tuple[str, ...], list[pd.DataFrame]] = {}
    notes = {}
    for name, of_study in results.items():
        table = of_study.of_method[method]
        table = table.assign(study=_study(name, page))[["study", *table.columns]]
        by_columns.setdefault((*table.columns,), []).append(table)
        notes[(*table.columns,)] = of_study.note
    if not by_columns:
        return ["No published study has it yet."]
    return [
        f"{markdown_table(pd.concat(tables))}\n{notes[columns]}"
        for columns, tables in by_columns.items()
    ]


def _study(name: str, page: str) -> str:
    return f"[{name}]({relative(f'results/{name}/index.md', page)})"


def index_page(
    site: Site,
    facts: Mapping[str, Facts],
    results: Mapping[str, StudyResults],
    credits: Mapping[str, Sequence[str]],
) -> str:
    """The list of all methods.

    Args:
        facts: of methods that docs/methods.md lists; credits: of contributed ones.
    """
    measured = [method for one in results.values() for method in one.of_method]
    names = [*dict.fromkeys([*facts, *measured, *credits])]
    rows = [
        {
            "method": f"[{method}]({method}.md)",
            "how": site.rewritten(facts[method].how, FACTS_FROM, INDEX)
            if method in facts
            else "; ".join(credits.get(method, ["A variant with settings of its own"])),
            "studies": ", ".join(
                _study(name, INDEX) for name, one in results.items() if method in one.of_method
            )
            or "–",
        }
        for method in names
    ]
    title = (
        "# All methods\n\nEach has a page with its paper, settings and results. How to run, change "
        f"and add methods: [Methods](../{FACTS_FROM})."
    )
    return f"{title}\n\n{markdown_table(pd.DataFrame(rows))}\n{side_bar(names)}"
