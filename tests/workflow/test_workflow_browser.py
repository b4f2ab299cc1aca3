"""The report of the tiny experiment in a browser: each control does what it says."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from project import TINY, ran

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here (on Debian: apt-get install chromium)"
)
# A second K, so that there is something to choose.
TWO_KS = ["--config", "counterfactual={k: [20, 30]}"]


@pytest.fixture(scope="module")
def report(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a copy, because other tests expect one K."""
    copy = tmp_path_factory.mktemp("browser") / "copy"
    shutil.copytree(project, copy)
    ran(copy, *TINY, *TWO_KS, "--", "results/tiny/report.html")
    return copy / "results" / "tiny" / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(report: Path, browser: Browser) -> Iterator[Page]:
    """The report, opened from disk without a network; nothing may be reported on the console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert errors == []


METHODS, CELLS = "table.methods:visible", "#q000 .cells"


def column(page: Page, heading: str) -> list[str]:
    """A column of the table of methods that is shown."""
    headings = page.locator(f"{METHODS} thead th").all_inner_texts()
    place = next(i for i, text in enumerate(headings, 1) if text.startswith(heading))
    return page.locator(f"{METHODS} tbody tr:visible td:nth-child({place})").all_inner_texts()


def test_measure_and_k_choose_what_is_shown(page: Page) -> None:
    headings = page.locator("div[data-measure] > h3:visible")  # the methods, and who beats whom
    assert all(text.startswith("ΔL without") for text in headings.all_inner_texts())
    page.get_by_label("measure").select_option("mse")
    for k in ("20", "30"):
        page.get_by_label("K", exact=True).select_option(k)
        expect(headings).to_contain_text([f"MSE without {k} images"] * 2)
        texts = page.locator(f"{CELLS} thead th:visible").all_inner_texts()
        assert texts[2:] == [f"without {k}", "MSE × 10³", "excess"]
        expect(page.locator("#dots svg")).to_contain_text("MSE × 10³")


def test_a_click_on_a_heading_sorts_and_another_turns_the_order(page: Page) -> None:
    heading = page.locator(METHODS).get_by_role("button", name="seconds a query")
    heading.press("Enter")
    seconds = [float(text) for text in column(page, "seconds")]
    assert seconds == sorted(seconds, reverse=True)
    heading.click()
    assert [float(text) for text in column(page, "seconds")] == seconds[::-1]
    page.locator(METHODS).get_by_role("button", name="method").click()
    first = column(page, "method")
    page.locator(METHODS).get_by_role("button", name="method").click()
    assert column(page, "method") == first[::-1]
    assert set(first) == {"pixel", "unlearning"}


def test_the_filter_keeps_matching_methods_everywhere(page: Page) -> None:
    page.get_by_label("methods").fill("pix, nothing")
    assert column(page, "method") == ["pixel"]
    expect(page.locator("#count")).to_have_text("1 of 2 methods")
    arms = page.locator(f"{CELLS} tbody th:visible").all_inner_texts()
    assert arms == ["pixel", "random", "nothing (other seed)"]
    expect(page.locator(".matrix:visible tbody td:visible")).to_have_count(1)
    expect(page.locator("#dots svg")).not_to_contain_text("unlearning")
    page.get_by_label("methods").fill("")
    assert len(column(page, "method")) == 2


def test_queries_open_by_picture_button_keyboard_and_dot(page: Page) -> None:
    opened = page.locator("#queries > details:visible")
    expect(opened).to_have_attribute("id", "q000")
    page.locator("#thumbs a").nth(1).press("Enter")
    expect(opened).to_have_attribute("id", "q001")
    page.get_by_role("button", name="next").press("Enter")
    expect(opened).to_have_attribute("id", "q002")
    page.get_by_role("button", name="previous").click()
    expect(opened).to_have_attribute("id", "q001")
    expect(page.locator("#dots svg path[aria-roledescription=circle]")).not_to_have_count(0)
    dot = page.locator(
        "#dots svg path[aria-roledescription=circle][aria-label*='query: q002']"
    ).first
    dot.click(force=True)
    expect(opened).not_to_have_attribute("id", "q001")
    expect(opened).to_have_count(1)


def test_queries_are_ordered_by_the_effect_of_a_method(page: Page, report: Path) -> None:
    page.get_by_label("K", exact=True).select_option("20")
    page.get_by_label("order").select_option("pixel")
    table = pd.read_parquet(report.parent / "tables" / "measurements.parquet")
    rows = table[(table["measure"] == "delta_loss") & (table["k"] == 20)]
    means = rows.groupby(["method", "query"])["value"].mean().unstack("method")
    excess = (means["pixel"] - means["random"]).sort_values()
    labels = page.locator("#thumbs a span").all_inner_texts()
    assert [label.split()[0] for label in labels] == excess.index.tolist()
    assert [float(label.split()[1]) for label in labels] == pytest.approx(1e3 * excess, rel=0.06)
    fails = page.locator("#thumbs a.fails").count()
    assert fails == (excess <= 0).sum()
    page.get_by_label("order").select_option("")
    assert page.locator("#thumbs a span").all_inner_texts() == ["q000", "q001", "q002"]


def test_pictures_have_caption_rank_and_score(page: Page) -> None:
    tile = page.locator("#q000 .cells tr[data-method=pixel] .removed .t").first
    assert re.search(r"\(rank 1, score -?[\d.e+-]+\)$", tile.get_attribute("title") or "")
    assert "url(" in tile.evaluate("one => getComputedStyle(one).backgroundImage")


def test_over_k_shows_a_picture_for_each_k(page: Page) -> None:
    film = page.locator("#q000 .film")
    assert film.locator("thead th").all_inner_texts() == ["removed by", "K = 20", "K = 30"]
    rows = film.locator("tbody th").all_inner_texts()
    assert rows == ["unlearning", "pixel", "random"]
    expect(film.locator("tbody .t")).to_have_count(6)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_and_text_has_contrast(page: Page) -> None:
    for one in page.locator("select, input, button").all():
        assert one.evaluate("one => (one.labels?.[0]?.textContent || one.textContent).trim()")
    faint = page.evaluate(CONTRAST)
    assert faint == []


def test_the_page_is_complete_without_javascript(report: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator("#controls")).to_be_hidden()
    estimates = pd.read_csv(report.parent / "tables" / "estimates.csv")
    ks = estimates.loc[estimates["method"] == "pixel", "k"].nunique()
    expect(page.locator(METHODS)).to_have_count(ks * estimates["measure"].nunique())
    expect(page.locator("#queries > details:visible")).to_have_count(3)
    page.locator("#q001 summary").click()
    expect(page.locator("#q001 .cells")).to_be_visible()
    expect(page.locator("img.plot:visible")).to_have_count(5)  # too few models for the sixth
    context.close()


# The texts whose contrast with their background is below 4.5 to 1 (WCAG AA).
CONTRAST = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (rgb) => {
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.checkVisibility() || one.closest("svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color).slice(0, 3)), light(behind(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push([one.textContent.trim().slice(0, 30), contrast]);
  }
  return faint;
}"""
