"""Pages of the site: where they are, and that links hold which hold in the repository."""

from pathlib import Path

import pandas as pd
import pytest

from leavekout.base.errors import InputError
from leavekout.report.site import Site, markdown_table, page_of, plain


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name in ("README.md", "docs/README.md", "docs/tour.md", "docs/a.png", "code/run.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "report.html").touch()
    pages = {"README.md", "docs/README.md", "docs/tour.md"}
    return Site(tmp_path, pages, {"report.html"}, "https://host/us/it")


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("[t](tour.md#end)", "[t](tour.md#end)"),
        ("[up](../README.md)", "[up](../index.md)"),
        ("[`all`\nof it](README.md)", "[`all`\nof it](index.md)"),
        ("[r](../report.html)", "[r](here:../report.html)"),
        ("[c](../code/run.py)", "[c](https://host/us/it/blob/HEAD/code/run.py)"),
        ("[c](../code)", "[c](https://host/us/it/tree/HEAD/code)"),
        ("[w](https://web/x.md), [h](#here)", "[w](https://web/x.md), [h](#here)"),
        ("```\n[no](nowhere.md)\n```", "```\n[no](nowhere.md)\n```"),
    ],
)
def test_links_of_the_repository_hold_on_the_site(site: Site, link: str, there: str) -> None:
    assert site.rewritten(link, "docs/tour.md", "docs/tour.md") == there


def test_links_hold_on_a_page_of_another_folder(site: Site) -> None:
    assert (
        site.rewritten("[t](tour.md)", "docs/README.md", "methods/x.md") == "[t](../docs/tour.md)"
    )


def test_images_are_collected(site: Site) -> None:
    text = "[![a](a.png)](tour.md)"
    assert site.rewritten(text, "docs/tour.md", "docs/tour.md") == text
    assert site.images == {"docs/a.png"}


def test_without_an_address_links_to_code_are_text(site: Site) -> None:
    local = Site(site.root, site.pages, site.files)
    assert local.rewritten("see [the `code`](../code)", "docs/tour.md", "x.md") == "see the `code`"


def test_a_link_to_nothing_is_refused(site: Site) -> None:
    with pytest.raises(InputError, match=r"docs/tour.md: the link to 'gone.md#x' leads to no file"):
        site.rewritten("[g](gone.md#x)", "docs/tour.md", "docs/tour.md")


def test_a_readme_is_the_page_of_its_folder() -> None:
    assert [page_of(path) for path in ("README.md", "a/README.md", "a/b.md")] == [
        *("index.md", "a/index.md", "a/b.md")
    ]


def test_a_table_keeps_pipes_and_breaks_no_interval() -> None:
    table = pd.DataFrame({"a|b": ["1.0 (−2 to 3) \\*", "x\ny"]})
    assert markdown_table(table) == (
        "| a\\|b |\n| --- |\n| 1.0 (−2\u00a0to\u00a03)\u00a0\\* |\n| x y |\n"
    )


def test_text_of_strangers_is_shown_and_does_nothing() -> None:
    assert plain("<b>[x](javascript:y)\n`z`") == r"\<b\>\[x\]\(javascript\:y\) \`z\`"
