"""The page: complete, escaped, self-contained, and in agreement with its tables."""

import base64
import dataclasses
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leavekout.leave_k_out.measures import registry
from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.report.claims import claims
from leavekout.leave_k_out.report.document import document
from leavekout.leave_k_out.report.figures.agreement import plot_agreement
from leavekout.leave_k_out.report.figures.costs import plot_costs
from leavekout.leave_k_out.report.figures.equivalents import plot_equivalents
from leavekout.leave_k_out.report.figures.measures import plot_measures
from leavekout.leave_k_out.report.figures.ranking import plot_ranking
from leavekout.leave_k_out.report.figures.repeatability import plot_repeatability
from leavekout.leave_k_out.report.headline import controls, headline
from leavekout.leave_k_out.report.queries import Layout, Pictures
from leavekout.leave_k_out.report.settings import published_table
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.equivalents import equivalents_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.leave_k_out.statistics.spent import spent_table
from leavekout.report.page import render
from leavekout.report.style import save
from leavekout.report.text import keyed, rounded
from project import ROOT
from studies import repeatability, statistics, study

REPORT = ROOT / "workflow" / "report"
NASTY = "<script>alert('&')</script>"


class Addresses(HTMLParser):
    """Collects what a browser would fetch or run, and checks that tags are closed in order."""

    VOID = ("meta", "link", "img", "br", "hr", "input")

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [v or "" for name, v in attrs if name in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Addresses:
    parser = Addresses()
    parser.feed(page)
    assert not parser.open
    return parser


def test_nothing_is_fetched(page: str) -> None:
    found = parsed(page)
    assert len(found.addresses) > 5
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert not re.search(r"url\(\"(?!data:)", page)


def test_the_browser_runs_our_script_and_no_other(page: str) -> None:
    """Its digest is in the page's policy, which forbids every other."""
    runs = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert runs == ["if (1 < 2) { start(); }"]
    digest = base64.b64encode(hashlib.sha256(runs[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' \"" in page
    assert page.count("<script") == 2  # the other holds data


def test_every_choice_and_query_is_in_the_page_without_the_script(
    page: str, tables: dict[str, pd.DataFrame]
) -> None:
    blocks = re.findall(r'<div data-measure="(\w+)" data-k="(\d+)">', page)
    assert Counter(blocks) == dict.fromkeys(
        (("delta_loss", "10"), ("mse", "10"), ("clip", "10")), 2
    )
    measured = tables["measurements"]
    for name, scale in (("delta_loss", 1e3), ("mse", 1e3), ("clip", 1)):
        rows = measured[(measured["measure"] == name) & (measured["query"] == "q000")]
        own = scale * rows.loc[rows["method"] == "good", "value"].item()
        random = scale * rows.loc[(rows["method"] == "random") & (rows["k"] == 10), "value"].mean()
        [row] = re.findall(r'<tr data-method="good" data-ks="10".*?</tr>', page, re.DOTALL)
        cells = re.findall(rf'data-measure="{name}" data-k="10"[^>]*>([^<]*)<', row)
        found = [float(cell.replace("−", "-")) for cell in cells]
        assert found == pytest.approx([own, own - random], rel=0.05)


def test_the_matrix_shows_who_beats_whom(page: str) -> None:
    rows = re.findall(r'<tr data-method="(\w+)"><th scope="row">.*?</tr>', page)
    assert rows[:2] == ["good", "bad"]
    good = re.findall(r'<tr data-method="good"><th scope="row">.*?</tr>', page)[0]
    assert 'class="self"></td>' in good
    assert 'class="ahead">▲</td>' in good
    assert re.search(r'title="good minus bad: [^"]*, corrected p [^"]*"', good)


def test_dots_have_the_values_of_the_tables(page: str, tables: dict[str, pd.DataFrame]) -> None:
    [text] = re.findall(r'id="study">(.*?)</script>', page, re.DOTALL)
    data = json.loads(text)
    first = data["choices"][0]
    measured = tables["measurements"]
    rows = measured[(measured["measure"] == "delta_loss") & (measured["k"] == 10)]
    values = rows[rows["method"] == "bad"].set_index("query")["value"]
    assert [one for [one] in first["methods"]["bad"]] == pytest.approx(
        [1e3 * values[query] for query in data["queries"]], rel=1e-3
    )
    assert [len(models) for models in first["random"]] == [4] * 12


def test_captions_prompts_and_names_are_escaped(page: str) -> None:
    assert NASTY not in page
    assert page.count("&lt;script&gt;alert(") >= 3


def test_every_section_of_the_navigation_is_there(page: str) -> None:
    links = {address for address in parsed(page).addresses if address.startswith("#")}
    assert len(links) == 13  # one of a query
    assert all(f'id="{link[1:]}"' in page for link in links)


def test_the_page_agrees_with_the_tables(page: str, tables: dict[str, pd.DataFrame]) -> None:
    assert "2 of 2 methods are significantly ahead of random removal" in page
    assert "1 of 1 pairs of methods are significantly different: good is ahead of bad" in page
    good = keyed(tables["estimates"], "measure", "k", "method")["delta_loss", 10, "good"]
    assert rounded(good["excess"] * 1000, good["excess_error"] * 1000) in page
    assert "bad gives the score at rank K = 10 to 4 more images" in page
    assert "COCO 2017 train" in page


@pytest.mark.parametrize(
    ("queries", "sets", "methods"), [(1, 1, ["good", "bad"]), (2, 1, ["good"]), (8, 3, ["good"])]
)
def test_the_smallest_studies_have_a_page_too(
    queries: int, sets: int, methods: list[str], config: dict[str, Any], tmp_path: Path
) -> None:
    """One query, one method, one random set, no other seed and no pair."""
    measurements = study(queries=queries, sets=sets, ks=(10,))
    kept = measurements[measurements["method"].isin([*methods, "random"])]
    once = {"n_queries": 2, "seconds": 4.0, "seconds_once": 10.0}
    seconds = spent_table([{"method": method, **once} for method in methods])
    made = {
        **statistics(kept),
        "lds": pd.DataFrame(columns=["k", "method", "n_queries", "n_models", "lds", "low", "high"]),
        "ties": pd.DataFrame(columns=["method", "query", "k", "tied"]),
        "repeatability": repeatability(),
        "costs": seconds[:0],
        "measurements": kept,
    }
    tables = {}
    for name, table in made.items():  # through files, as in the workflow
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        tables[name] = pd.read_csv(tmp_path / f"{name}.csv")
    context = document(
        tables,
        config,
        figures=dict.fromkeys(
            ("measures", "ranking", "equivalents", "timesteps", "costs"), "data:,"
        ),
        pictures=Pictures(Layout(methods, 4, [10]), {}, {}, {}, []),
        large=True,
        versions=pd.DataFrame(columns=["stage", "jobs", "commit"]),
        costs=pd.DataFrame(columns=["stage", "jobs", "hours", "memory_gb"]),
        afterwards=(),
        published=None,
        paper=[],
        clusters={},
    )
    assert "excess ΔL" in render(REPORT / "report.html.jinja", context)
    for plot in (
        plot_measures(tables["estimates"], methods),
        plot_ranking(tables["estimates"], tables["comparisons"], methods),
        plot_equivalents(tables["equivalents"], tables["estimates"], methods),
        plot_agreement(tables["lds"], tables["estimates"], methods),
        plot_repeatability(tables["repeatability"], methods),
        plot_repeatability(repeatability(good=0.97), methods),
        plot_costs(seconds, tables["estimates"], methods),
        plot_costs(seconds[:0], tables["estimates"], methods),
    ):
        save(plot, [tmp_path / "figure.svg"])
        assert (tmp_path / "figure.svg").stat().st_size > 1000


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_tables_and_figures_lay_themselves_out_for_any_number_of_measures(
    count: int, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: Any = {"name": "lpips", "label": "LPIPS", "direction": 1, "unchanged": 0}
    sixth = dataclasses.replace(measure("ssim"), **changes)
    known = {**registry.all_measures(), "lpips": sixth}
    monkeypatch.setattr(registry, "all_measures", lambda: known)
    names = ("mse", "dino", "ssim", "delta_loss", "clip", "lpips")[:count]
    measurements = study(queries=6, measures=names)
    estimates = estimates_table(measurements)
    comparisons = comparisons_table(measurements)
    equivalents = equivalents_table(measurements, resamples=20)
    methods = ["good", "bad"]
    assert list(dict.fromkeys(estimates["measure"])) == list(names)
    parts = headline(estimates, comparisons, equivalents)
    assert len(parts) == -(-count // 3)
    # By the first measure, whichever it is.
    assert all(part["removed by"].tolist() == methods for part in parts)
    columns = [str(column) for part in parts for column in part]
    assert [c for c in columns if c.startswith("excess ")] == [
        f"excess {measure(name).heading}" for name in names
    ]
    assert len(controls(estimates)) == len(parts)
    assert len(claims(estimates, comparisons)) == 2 * count
    for plot in (
        plot_measures(estimates, methods),
        plot_ranking(estimates, comparisons, methods),
        plot_equivalents(equivalents, estimates, methods),
    ):
        assert [ax.get_title() for ax in plot.axes if ax.get_visible()] == [
            measure(name).axis for name in names
        ]
        save(plot, [tmp_path / "figure.png"])
    rows = published_table(estimates, pd.read_csv(REPORT / "published_results.csv"))
    assert {"published MSE × 10³", "ours MSE × 10³"} <= set(rows)
    assert "published SSIM" not in rows
