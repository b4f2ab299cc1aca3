"""Lays out the site below build/site/: pages in source/, which Sphinx renders, and files in html/.

    python workflow/scripts/build_site.py [--repository https://…]

Pages keep their places in the repository, so that their links and pictures hold. Pages of studies
and methods are made from tables, docs/methods.md and the configuration.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from leavekout.base.artifacts import load_csv
from leavekout.base.errors import InputError
from leavekout.customized import site as customized
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.report import site as leave_k_out
from leavekout.leave_k_out.report.contributed import Contributed, read_contributed
from leavekout.methods.facts import Facts, all_facts
from leavekout.methods.page import FACTS_FROM, INDEX, index_page, method_page, page_of_method
from leavekout.methods.registry import scored_methods
from leavekout.report.site import Site, StudyResults, page_of, side_bar
from leavekout.report.study_page import OVERVIEW, overview_page, study_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/*.md", "config/README.md", "results/*/README.md", "benchmarks/README.md")
# The side bar: a caption and its pages. The pages of docs/ are in the order of docs/README.md.
GUIDE, PROJECT = "docs/README.md", ("CONTRIBUTING", "CHANGELOG", "LICENSES", "benchmarks/index")


def main(root: Path, target: Path, repository: str | None) -> None:
    """Writes the site's sources and files.

    Args:
        root: the repository's folder; target: a new folder, for `source` and `html`.
        repository: its public address, for links to its files; None if it has none.

    Raises:
        InputError: a link leads nowhere, or a contributed row is not as it has to be.
    """
    sources = sorted(str(path.relative_to(root)) for each in PAGES for path in root.glob(each))
    studies = [Path(path).parts[1] for path in sources if path.startswith("results/")]
    studies.sort(key=lambda study: not _removes(root / "results" / study))
    files = _files(root, studies)
    site = Site(root, sources, files, repository)
    facts = all_facts((root / FACTS_FROM).read_text())
    open_to_all = [study for study in studies if _removes(root / "results" / study)]
    contributed = read_contributed(root / "contributed", open_to_all, taken=facts)
    results = {study: _results(root / "results" / study, contributed) for study in studies}
    credits = {
        study: {one.method: one.credit() for one in contributed if one.study == study}
        for study in studies
    }
    written = {
        page_of(path): site.rewritten((root / path).read_text(), path, page_of(path))
        for path in sources
    }
    for study in studies:
        folder = root / "results" / study
        written[f"results/{study}/index.md"] = study_page(
            site,
            study,
            (folder / "README.md").read_text(),
            results[study],
            load_csv(folder / "tables" / "dictionary.csv"),
            [path.name for path in _tables(folder)],
            credits[study],
        )
    titles = {study: _title(written[f"results/{study}/index.md"]) for study in studies}
    written[OVERVIEW] = overview_page(results, titles, credits)
    written |= _method_pages(site, facts, results, contributed)
    written["index.md"] += _side_bars((root / GUIDE).read_text())
    for page, text in written.items():
        _write(target / "source" / page, text)
    for image in site.images:
        _copy(root / image, target / "source" / image)
    for file in files:
        _copy(root / file, target / "html" / file)


def _removes(folder: Path) -> bool:
    """Whether a study removes images, and does not customize models."""
    return (folder / "tables" / leave_k_out.MAIN).exists()


def _results(folder: Path, contributed: list[Contributed]) -> StudyResults:
    """A study's results, by its kind."""
    if _removes(folder):
        rows = [one.rows for one in contributed if one.study == folder.name]
        return leave_k_out.results_of(folder / "tables", rows)
    return customized.results_of(folder / "tables")


def _tables(folder: Path) -> list[Path]:
    tables = folder / "tables"
    return sorted([*tables.glob("*.csv"), *tables.glob("*.parquet")])


def _files(root: Path, studies: list[str]) -> list[str]:
    """What is copied as it is: reports with their pictures, and tables."""
    found: list[Path] = []
    for study in studies:
        folder = root / "results" / study
        found += [path for path in folder.glob("report*") for path in [path, *path.rglob("*")]]
        found += _tables(folder)
    return [str(path.relative_to(root)) for path in found if path.is_file()]


def _method_pages(
    site: Site,
    facts: Mapping[str, Facts],
    results: Mapping[str, StudyResults],
    contributed: list[Contributed],
) -> dict[str, str]:
    """The list of methods, and the page of each."""
    experiments = {
        study: read_experiment({}, [path])
        for study in results
        if (path := site.root / f"config/{study}.yaml").exists()
    }
    credits: dict[str, list[str]] = {}
    for one in contributed:
        credits.setdefault(one.method, []).append(f"In {one.study}: {one.credit()}.")
    pages = {INDEX: index_page(site, facts, results, credits)}
    known = [*facts, *(method for one in results.values() for method in one.of_method)]
    for method in dict.fromkeys(known):
        pages[page_of_method(method)] = method_page(
            site,
            method,
            facts.get(method),
            {study: one for study, one in results.items() if method in one.of_method},
            {study: e for study, e in experiments.items() if method in scored_methods(e)},
            credits.get(method, []),
        )
    return pages


def _title(page: str) -> str:
    return page.partition("\n")[0].removeprefix("# ")


def _side_bars(guide: str) -> str:
    """All pages that no other page has below it."""
    named = dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md", guide))
    bars = {
        "Results": ["results/index", "methods/index"],
        "Guide": ["docs/index", *(f"docs/{name}" for name in named), "config/index"],
        "Project": PROJECT,
    }
    return "".join(f"\n{side_bar(pages, caption)}" for caption, pages in bars.items())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repository", help="its public address, for links to its files")
    place = ROOT / "build" / "site"
    shutil.rmtree(place, ignore_errors=True)
    try:
        main(ROOT, place, parser.parse_args().repository)
    except InputError as error:
        sys.exit(str(error))
