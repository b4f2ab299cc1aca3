"""The report: whole, escaped, self-contained, and saying what its tables say."""

import csv
import dataclasses
import re
import sys
from html.parser import HTMLParser
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from leavekout.measures import registry
from leavekout.measures.registry import measure, measures_in
from leavekout.report import gallery, provenance
from leavekout.report.cautions import cautions, of_versions
from leavekout.report.claims import claims, pairs_table, verdict
from leavekout.report.document import document
from leavekout.report.figures.agreement import plot_agreement
from leavekout.report.figures.costs import plot_costs
from leavekout.report.figures.equivalents import plot_equivalents
from leavekout.report.figures.measures import plot_measures
from leavekout.report.figures.ranking import plot_ranking
from leavekout.report.figures.repeatability import plot_repeatability
from leavekout.report.figures.style import save
from leavekout.report.headline import as_latex, controls, headline, note, ranked
from leavekout.report.page import render
from leavekout.report.settings import published_table, settings_table
from leavekout.report.text import equivalent, interval, keyed, queries, rounded
from leavekout.statistics.comparisons import comparisons_table
from leavekout.statistics.equivalents import equivalents_table
from leavekout.statistics.estimates import estimates_table
from leavekout.statistics.measurements import dictionary
from leavekout.statistics.power import power_table, variance_table
from leavekout.statistics.repeatability import COLUMNS
from leavekout.statistics.spent import spent_table
from project import ROOT
from studies import study

REPORT = ROOT / "workflow" / "report"
NASTY = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    measurements = study(queries=12)
    return {
        "estimates": estimates_table(measurements, resamples=200),
        "comparisons": comparisons_table(measurements, resamples=4096),
        "equivalents": equivalents_table(measurements, resamples=50),
        "variance": variance_table(measurements),
        "power": power_table(measurements),
        "lds": pd.DataFrame(
            [
                {
                    "k": 50,
                    "method": m,
                    "n_queries": 12,
                    "n_models": 9,
                    "lds": 0.3,
                    "low": 0.1,
                    "high": 0.5,
                }
                for m in ("good", "bad")
            ]
        ),
        "ties": pd.DataFrame(
            [
                {"method": "bad", "query": "q000", "k": 10, "tied": 4},
                {"method": "good", "query": "q000", "k": 10, "tied": 0},
            ]
        ),
        "repeatability": repeatability(bad=0.55, good=0.97),
        "dictionary": dictionary(measures_in(["delta_loss", "mse", "clip"])),
    }


def repeatability(**overlaps: float) -> pd.DataFrame:
    """A table of methods, of whose top 10 another draw names such shares again."""
    rows = [(method, 10, 12, 0.5, 0.4, 0.6, share, 0.02, 0.3) for method, share in overlaps.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    files = [ROOT / "config" / "coco.yaml"]
    return read_experiment(read_yaml(files[0]), files).model_dump(mode="json", exclude={"hardware"})


@pytest.fixture(scope="module")
def page(tables: dict[str, pd.DataFrame], config: dict[str, Any]) -> str:
    picture = np.zeros((8, 8, 3), np.uint8)
    row = [gallery.Row(NASTY, [gallery.picture(picture, "1", NASTY)])]
    versions = pd.DataFrame({"stage": ["train"], "jobs": [1], "commit": ["abc"]})
    costs = pd.DataFrame(
        {
            "stage": ["train"],
            "jobs": [2],
            "hours": [1.0],
            "memory_gb": [3.0],
        }
    )
    context = document(
        tables,
        config,
        figures=dict.fromkeys(
            ("measures", "ranking", "equivalents", "agreement", "repeatability", "costs"),
            gallery.data_address(b"<svg/>", "svg+xml"),
        ),
        gallery=[gallery.QueryPictures("q000", NASTY, gallery.picture(picture), row, row)],
        large=False,
        versions=versions,
        costs=costs,
        afterwards=(),
        published=pd.read_csv(REPORT / "published_results.csv"),
        paper=yaml.safe_load((REPORT / "paper.yaml").read_text()),
    )
    return render(REPORT / "report.html.jinja", context)


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
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset")
        ]
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


def test_the_page_says_what_the_tables_say(page: str, tables: dict[str, pd.DataFrame]) -> None:
    assert "2 of 2 methods are ahead of random removal" in page
    assert "1 of 1 pairs of methods can be told apart: good is ahead of bad" in page
    good = keyed(tables["estimates"], "measure", "k", "method")["delta_loss", 10, "good"]
    assert rounded(good["excess"] * 1000, good["excess_error"] * 1000) in page
    assert "bad gives the score at rank K = 10 to 4 images more" in page
    assert "COCO 2017 train" in page


def test_claims_name_what_is_not_shown(tables: dict[str, pd.DataFrame]) -> None:
    doubtful = tables["estimates"].copy()
    doubtful.loc[doubtful["method"] == "bad", "p_corrected"] = 0.2
    worse = doubtful["method"].eq("good") & doubtful["measure"].eq("clip")
    doubtful.loc[worse, "excess"] = 0.1  # significant, and on the wrong side
    said = claims(doubtful, tables["comparisons"])
    assert "K = 10, ΔL: 1 of 2 methods are ahead of random removal; not shown for bad." in said
    assert any("CLIP similarity: 0 of 2 methods are ahead" in sentence for sentence in said)


def test_pairs_say_how_many_queries_would_settle_them(tables: dict[str, pd.DataFrame]) -> None:
    row = pairs_table(tables["comparisons"], 10, measure("mse")).to_dict("records")[0]
    assert row["told apart"] == "yes"
    assert row["queries ahead"] == "12 of 12"
    assert int(row["queries that would settle it"]) <= 12


def few(queries: int, *, alike: int = 1) -> list[str]:
    measurements = study(queries=queries, sets=1, alike=alike)
    return cautions(
        estimates=estimates_table(measurements, resamples=100),
        equivalents=equivalents_table(measurements, resamples=20),
        ties=pd.DataFrame(columns=["method", "query", "k", "tied"]),
        repeatability=repeatability(good=0.97, bad=0.55),
    )


def test_artifacts_of_different_versions_are_said_before_all_else(
    tables: dict[str, pd.DataFrame],
) -> None:
    made_by = {"commit": ["abc", "def-dirty"], "torch": ["2", "2"]}
    said = "\n".join(of_versions(pd.DataFrame({"stage": ["a", "b"], "jobs": [1, 1], **made_by})))
    assert "commit abc, def-dirty" in said
    assert "torch" not in said
    assert "uncommitted changes" in said


def test_tables_may_be_of_another_version_than_models_and_scores() -> None:
    versions = pd.DataFrame(
        {"stage": ["retrain", "estimate"], "jobs": [9, 1], "commit": ["abc", "def"]}
    )
    assert "Artifacts of different versions: commit abc, def" in "".join(of_versions(versions))
    assert of_versions(versions, ["estimate", "compare"]) == []
    mixed = pd.concat([versions, versions.assign(stage="compare")])
    assert "Tables and figures of different versions" in "".join(
        of_versions(mixed, ["estimate", "compare"])
    )


def test_the_verdict_is_what_the_tables_say(tables: dict[str, pd.DataFrame]) -> None:
    said = verdict(tables["estimates"], tables["comparisons"])
    at = keyed(tables["estimates"], "measure", "k", "method")
    excess = 1e3 * at["delta_loss", 10, "good"]["excess"]
    assert said.startswith(
        "Of 2 methods, good does best by ΔL. Without the 10 images that good names, the excess "
        "over random removal, ΔL × 10³, is "
    )
    assert f"is {excess:.0f}" in said
    assert said.endswith(
        "From 12 queries, 2 of 2 methods can be shown to be ahead of random removal, and 1 of 1 "
        "pairs of methods can be told apart."
    )
    measurements = study(queries=3, sets=1)
    few_queries = verdict(
        estimates_table(measurements, resamples=100),
        comparisons_table(measurements, resamples=100),
    )
    assert "From 3 queries, no method can be shown to be ahead of random removal" in few_queries


def test_the_first_picture_is_one_query_by_one_method() -> None:
    shown = [gallery.picture(np.full((2, 2, 3), i, np.uint8), "good") for i in range(4)]
    query = gallery.QueryPictures(
        "q000",
        "a four",
        shown[0],
        [gallery.Row("bad", [shown[1]]), gallery.Row("good", [shown[2]])],
        [gallery.Row("K = 10", [shown[3]])],
    )
    lead = gallery.lead([query], "good", "K = 10")
    assert lead is not None
    assert (lead.generated, lead.removed, lead.regenerated) == (shown[0], [shown[2]], shown[3])
    assert gallery.lead([query], "good", "K = 11") is None
    assert gallery.lead([query], "ugly", "K = 10") is None


def test_cautions_are_given_where_they_are_due() -> None:
    said = "\n".join(few(3))
    assert "Too few queries to tell methods apart, or from random removal: with 3 that are" in said
    assert "at least 6 are needed" in said
    assert "Few independent queries: with 3, " in said
    assert "Queries that resemble each other" not in said
    assert "1 random set" in said
    assert "The random curve ends at 20 images" in said
    assert "fewer than 90 % of the top 10 would be named again (bad 55 %)" in said
    assert "Too few queries" not in "\n".join(few(8))
    assert "Few independent queries" not in "\n".join(few(20))
    alike = "\n".join(few(8, alike=2))
    assert "the 8 queries make 4 clusters by their nearest training images" in alike
    assert "Too few queries to tell methods apart, or from random removal: with 4 that" in alike


@pytest.mark.parametrize(
    ("queries", "sets", "methods"), [(1, 1, ["good", "bad"]), (2, 1, ["good"]), (8, 3, ["good"])]
)
def test_the_smallest_studies_have_a_page_too(
    queries: int, sets: int, methods: list[str], config: dict[str, Any], tmp_path: Path
) -> None:
    """One query, one method, one random set, no other seed, no pair: nothing to say is no error."""
    measurements = study(queries=queries, sets=sets, ks=(10,))
    kept = measurements[measurements["method"].isin([*methods, "random"])]
    made = {
        "estimates": estimates_table(kept, resamples=50),
        "comparisons": comparisons_table(kept, resamples=50),
        "equivalents": equivalents_table(kept, resamples=20),
        "variance": variance_table(kept),
        "power": power_table(kept),
        "lds": pd.DataFrame(columns=["k", "method", "n_queries", "n_models", "lds", "low", "high"]),
        "ties": pd.DataFrame(columns=["method", "query", "k", "tied"]),
        "repeatability": repeatability(),
        "dictionary": dictionary(measures_in(["delta_loss", "mse", "clip"])),
    }
    tables = {}
    for name, table in made.items():  # through files, as in the workflow
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        tables[name] = pd.read_csv(tmp_path / f"{name}.csv")
    empty = pd.DataFrame(columns=["stage", "jobs", "commit"])
    costs = pd.DataFrame(columns=["stage", "jobs", "hours", "memory_gb"])
    context = document(
        tables,
        config,
        figures=dict.fromkeys(("measures", "ranking", "equivalents", "costs"), "data:,"),
        gallery=[],
        large=True,
        versions=empty,
        costs=costs,
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
    sixth = dataclasses.replace(
        measure("ssim"), name="lpips", label="LPIPS", direction=1, unchanged=0
    )
    known = {**registry.all_measures(), "lpips": sixth}
    monkeypatch.setattr(registry, "all_measures", lambda: known)
    names = ("mse", "dino", "ssim", "delta_loss", "clip", "lpips")[:count]
    measurements = study(queries=6, measures=names)
    estimates = estimates_table(measurements, resamples=50)
    comparisons = comparisons_table(measurements, resamples=64)
    equivalents = equivalents_table(measurements, resamples=20)
    methods = ["good", "bad"]
    assert list(dict.fromkeys(estimates["measure"])) == list(names)
    parts = headline(estimates, comparisons, equivalents)
    assert len(parts) == -(-count // 3)
    for part in parts:
        assert part["removed by"].tolist() == methods  # by the first measure, whichever it is
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


def test_methods_are_ranked_by_the_first_measure_in_its_direction() -> None:
    measurements = study(queries=6, measures=("clip", "delta_loss"))
    estimates = estimates_table(measurements, resamples=50)
    assert ranked(estimates, 10) == ["good", "bad"]  # the lower similarity is the better
    assert "for the same CLIP similarity" in note(estimates)


def test_published_numbers_stand_in_our_units_beside_ours(tables: dict[str, pd.DataFrame]) -> None:
    published = pd.read_csv(REPORT / "published_results.csv")
    assert len(published) == 60
    ours = tables["estimates"].copy()
    ours["k"] = ours["k"].replace(10, 500)
    ours["method"] = ours["method"].replace("good", "d-trak")
    rows = published_table(ours, published)
    row = rows[(rows["method"] == "d-trak") & (rows["K"] == "500")].to_dict("records")[0]
    assert row["published ΔL × 10³"] == "5.4 ± 0.16"
    assert row["published MSE × 10³"] == "59 ± 2.4"
    assert row["published CLIP similarity"].startswith("0.7")
    assert row["ours ΔL × 10³"] != "–"
    assert (rows["ours ΔL × 10³"] == "–").sum() == len(rows) - 2  # random at 500, and d-trak


def test_settings_of_the_coco_study_are_the_paper_s(config: dict[str, Any]) -> None:
    paper = yaml.safe_load((REPORT / "paper.yaml").read_text())
    rows = {row["key"]: row for row in settings_table(config, paper)}
    assert all(row["here"] != "–" for row in rows.values())  # no key is misspelt
    differs = {key for key, row in rows.items() if not row["same"]}
    assert "training.epochs" not in differs
    assert {"queries.tuning", "unlearning.unlearning.damping"} <= differs
    for key in differs:
        assert rows[key]["paper"] in ("not stated", "20 source models") or key in (
            "queries.tuning",
            "counterfactual.retrain_seeds",
            "unlearning.unlearning.damping",
        )


def test_numbers_are_rounded_to_their_error() -> None:
    assert interval(12.345, 1.9, 8.01, 16.7) == "12.3 (8.0 to 16.7)"
    assert interval(-0.0123, 0.004, -0.02, 0.001) == "−0.0123 (−0.0200 to 0.0010)"
    assert interval(1.0, np.nan, np.nan, np.nan) == "1.0000"
    assert rounded(-0.0001, 0.5) == "0.00"
    assert queries(np.inf) == "> 10,000"


def test_random_equivalents_show_where_the_curve_ended() -> None:
    row = {
        "equivalent": 312.4,
        "low": 187.0,
        "high": 1600.0,
        "equivalent_censored": False,
        "low_censored": False,
        "high_censored": True,
        "smallest_k": 50,
    }
    assert equivalent(row) == "312 (187 to > 1,600)"
    assert equivalent({**row, "low": 12.0}) == "312 (< 50 to > 1,600)"
    beyond = {**row, "equivalent": 1600.0, "equivalent_censored": True}
    assert equivalent(beyond) == "> 1,600 (at least 187)"


def test_the_headline_is_the_same_for_terminal_and_paper(tables: dict[str, pd.DataFrame]) -> None:
    [table] = headline(tables["estimates"], tables["comparisons"], tables["equivalents"])
    assert table["removed by"].tolist() == ["good", "bad"]
    assert table["group"].tolist() == ["a", "b"]
    assert str(table.loc[0, "excess ΔL × 10³"]).endswith("*")
    latex = as_latex([table], note(tables["estimates"]))
    assert latex.count(r"\\") == 3
    assert latex.isascii() or "%" in latex.splitlines()[0]
    assert not any(sign in latex.split(r"\toprule")[1] for sign in "Δ×³−")
    assert len(controls(tables["estimates"])[0]) == 2
    assert "$<$100" in as_latex([pd.DataFrame({"equivalent": ["< 100"]})], "note")


def test_versions_are_those_of_the_logs_and_of_parts_made_before(tmp_path: Path) -> None:
    for name, commits in (("retrain/random/s0/k1", "ab"), ("retrain/a/q000/k1", "b"), ("fit", "b")):
        path = tmp_path / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        records = [f'12:00:00 {{"commit": "{c}", "torch": "2", "params": {{}}}}' for c in commits]
        path.write_text("\n".join(["noise", *records, "12:00:01 done"]) + "\n")
    earlier = [{"stage": "retrain", "commit": "b", "torch": "2", "jobs": 40}]
    earlier += [{"stage": "retrain", "commit": "old", "torch": "1", "jobs": 3}]
    table = provenance.versions_of(tmp_path, earlier).set_index(["stage", "commit"])
    assert table["jobs"].to_dict() == {
        ("fit", "b"): 1,
        ("retrain", "b"): 41,
        ("retrain", "old"): 3,
        ("retrain, random", "b"): 1,  # of a job that ran twice, the last counts
    }
    assert list(provenance.versions_of(tmp_path / "nothing")) == ["stage", "jobs", "commit"]


def test_costs_are_those_of_the_benchmark_files(tmp_path: Path) -> None:
    for name, seconds in (
        ("retrain/random/s0/k1", 3600),
        ("retrain/random/s1/k1", 1800),
        ("train_vae", 36),
    ):
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerows([["s", "max_rss"], [seconds, 2048]])
    (tmp_path / "broken.tsv").write_text("")
    table = provenance.costs_of(tmp_path).set_index("stage")
    assert table.loc["retrain, random", "hours"] == pytest.approx(1.5)
    assert table.loc["retrain, random", "jobs"] == 2
    assert table.loc["train_vae", "memory_gb"] == 2


def test_no_script_has_the_name_of_a_module_that_others_import() -> None:
    """Snakemake puts the scripts' folder on sys.path; tabulate.py once broke torch's logging."""
    folder = ROOT / "workflow" / "scripts"
    others = [path for path in sys.path if Path(path).resolve() != folder]
    for script in folder.rglob("*.py"):
        if "leavekout" in script.parts:
            continue
        assert PathFinder.find_spec(script.stem, others) is None, script.name
