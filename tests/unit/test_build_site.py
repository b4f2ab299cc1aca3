"""The site of this repository, with a made-up contributed row."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from build_site import main
from leavekout.base.artifacts import load_csv, save_csv
from leavekout.methods.registry import built_in_names
from project import ROOT, output_of

STUDY = "letters-study"
ABOUT = {"method": "edges", "who": "A. Person", "paper": "https://example.org/paper"}
ABOUT |= {"code": "none", "licence": "MIT", "date": "2026-11-30"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's sources and files, of a repository that differs by the contributed row."""
    root, target = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("site")
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in ("build", "contributed"):
            (root / path.name).symlink_to(path)
    folder = root / "contributed" / STUDY / "edges"
    folder.mkdir(parents=True)
    (folder / "about.yaml").write_text(yaml.safe_dump(ABOUT))
    estimates = load_csv(ROOT / "results" / STUDY / "tables" / "estimates.csv")
    rows: pd.DataFrame = estimates[estimates["method"] == "pixel"]
    save_csv(folder / "rows.csv", rows.assign(method="edges"))
    main(root, target, None)
    return target


def test_each_method_has_a_page_in_the_side_bar(site: Path) -> None:
    index = (site / "source" / "methods" / "index.md").read_text()
    for method in [*built_in_names(), "edges", "ascent"]:
        assert f"\n{method}\n" in index
        assert (site / "source" / "methods" / f"{method}.md").exists()


def test_the_numbers_of_a_study_are_on_its_page_and_on_that_of_the_method(site: Path) -> None:
    rows = load_csv(ROOT / "results" / STUDY / "tables" / "estimates.csv")
    (row,) = rows[(rows["method"] == "ekfac") & (rows["measure"] == "mse")].to_dict("records")
    shown = f"{1000 * row['excess']:.1f} ({1000 * row['excess_low']:.1f}\u00a0to"
    assert shown in (site / "source" / "results" / STUDY / "index.md").read_text()
    assert shown in (site / "source" / "methods" / "ekfac.md").read_text()
    assert (site / "html" / "results" / STUDY / "report.html").exists()


def test_a_contributed_row_is_marked_and_has_a_page(site: Path) -> None:
    credit = "contributed by A. Person, 2026-11-30, [paper](https://example.org/paper)"
    for page in ("results/index.md", f"results/{STUDY}/index.md"):
        text = (site / "source" / page).read_text()
        assert "edges.md) (contributed)" in text
        assert credit in text
    text = (site / "source" / "methods" / "edges.md").read_text()
    assert f"In {STUDY}: {credit}" in text
    assert "excess over random removal" in text


@pytest.mark.thorough
def test_the_site_is_built_without_a_warning(site: Path) -> None:
    """Sphinx warns of a link to a page or heading that is not there."""
    sphinx = str(Path(sys.executable).parent / "sphinx-build")
    strict = ("--fail-on-warning", "--keep-going", "--quiet", "-c", str(ROOT / "docs"))
    result = subprocess.run(
        [sphinx, *strict, str(site / "source"), str(site / "html")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, output_of(result)
    page = (site / "html" / "results" / STUDY / "index.html").read_text()
    assert 'href="report.html"' in page
    assert 'href="../../methods/edges.html"' in page
