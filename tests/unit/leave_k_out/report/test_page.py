"""The page: complete, escaped, self-contained, and in agreement with its tables."""

import dataclasses
import re
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

    VOID = ("meta", "link", "img", "br", "hr")

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


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    found = parsed(page)
    assert len(found.addresses) > 5
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert "script" not in found.tags
    assert not re.search(r"url\((?!data:)", page)


def test_captions_prompts_and_names_are_escaped(page: str) -> None:
    assert NASTY not in page
    assert page.count("&lt;script&gt;alert(") >= 3


def test_every_section_of_the_navigation_is_there(page: str) -> None:
    links = {address for address in parsed(page).addresses if address.startswith("#")}
    assert len(links) == 12
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
    made = {
        **statistics(kept),
        "lds": pd.DataFrame(columns=["k", "method", "n_queries", "n_models", "lds", "low", "high"]),
        "ties": pd.DataFrame(columns=["method", "query", "k", "tied"]),
        "repeatability": repeatability(),
    }
    tables = {}
    for name, table in made.items():  # through files, as in the workflow
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        tables[name] = pd.read_csv(tmp_path / f"{name}.csv")
    context = document(
        tables,
        config,
        figures=dict.fromkeys(("measures", "ranking", "equivalents", "costs"), "data:,"),
        gallery=[],
        large=True,
        versions=pd.DataFrame(columns=["stage", "jobs", "commit"]),
        costs=pd.DataFrame(columns=["stage", "jobs", "hours", "memory_gb"]),
        afterwards=(),
        published=None,
        paper=[],
    )
    assert "excess ΔL" in render(REPORT / "report.html.jinja", context)
    once = {"n_queries": 2, "seconds": 4.0, "seconds_once": 10.0}
    seconds = spent_table([{"method": method, **once} for method in methods])
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
