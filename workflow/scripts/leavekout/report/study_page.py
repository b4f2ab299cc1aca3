"""The site's page of each study, and the overview of all."""

from collections.abc import Collection, Mapping

import pandas as pd

from leavekout.report.site import (
    FILE_SCHEME,
    Block,
    Site,
    StudyResults,
    markdown_table,
    relative,
    side_bar,
)

OVERVIEW = "results/index.md"


def study_page(
    site: Site,
    study: str,
    account: str,
    results: StudyResults,
    dictionary: pd.DataFrame,
    tables: Collection[str],
    contributed: Mapping[str, str],
) -> str:
    """A study's account, with its tables and files below.

    Args:
        account: the study's README.
        dictionary: columns `column` and `meaning` of the measurements.
        tables: the names of all files of tables, which are copied beside the page.
        contributed: who contributed a method's row, as Markdown, by the method.
    """
    source, page = f"results/{study}/README.md", f"results/{study}/index.md"
    title, _, text = site.rewritten(account, source, page).partition("\n")
    report = f"[The report]({FILE_SCHEME}report.html): all figures and queries on one page."
    parts = [title, f"{report} [Its tables](#tables) are below.", text.strip(), "## Tables"]
    for block in (results.main, *results.others):
        parts += [f"### {block.title}", linked(block, page, contributed), block.note]
        parts += [f"From [{block.file}]({FILE_SCHEME}tables/{block.file})."]
    described = dictionary.assign(column=[f"`{name}`" for name in dictionary["column"]])
    parts += ["### All files", _files(tables), "Columns of the measurements, one row for each "]
    parts[-1] += "model, query and measure:"
    parts += [markdown_table(described)]
    return "\n\n".join(parts) + "\n"


def _files(tables: Collection[str]) -> str:
    return ", ".join(f"[{name}]({FILE_SCHEME}tables/{name})" for name in sorted(tables)) + "."


def linked(block: Block, page: str, contributed: Mapping[str, str]) -> str:
    """A block's table with links to the pages of its methods; contributed ones are marked."""
    table = block.table
    if "method" not in table:
        return markdown_table(table)
    names = [
        f"[{name}]({relative(f'methods/{name}.md', page)})"
        + (" (contributed)" if name in contributed else "")
        for name in table["method"]
    ]
    credit = "".join(
        f"\n\n{name}: {contributed[name]}." for name in table["method"] if name in contributed
    )
    return markdown_table(table.assign(method=names)) + credit


def overview_page(
    results: Mapping[str, StudyResults],
    titles: Mapping[str, str],
    contributed: Mapping[str, Mapping[str, str]],
) -> str:
    """The main table of each study.

    Args:
        titles: of the studies; contributed: as of `study_page`, by study.
    """
    parts = ["# Results", "Each study's methods, the best first. A click on a heading sorts by it."]
    for study, one in results.items():
        links = f"[Account]({study}/index.md) · [report]({FILE_SCHEME}{study}/report.html)"
        table = linked(one.main, OVERVIEW, contributed.get(study, {}))
        parts += [f"## {titles[study]}", f"{one.main.title}. {links}", table, one.main.note]
    pages = [f"{study}/index" for study in results]
    return "\n\n".join([*parts, side_bar(pages)])
