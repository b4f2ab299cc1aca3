"""Tables of one study in memory, the COCO configuration, and the page made of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from configured import experiment
from leavekout.leave_k_out.report.document import document
from leavekout.leave_k_out.report.queries import Layout, Pictures
from leavekout.leave_k_out.statistics.spent import spent_table
from leavekout.report.collect import Ranked
from leavekout.report.gallery import data_address
from leavekout.report.page import render
from project import ROOT
from studies import repeatability, statistics, study

REPORT = ROOT / "workflow" / "report"
NASTY = "<script>alert('&')</script>"
SCRIPT = "if (1 < 2) { start(); }"


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    measurements = study(queries=12)
    once = {"n_queries": 12, "seconds": 24.0, "seconds_once": 60.0}
    return {
        **statistics(measurements),
        "measurements": measurements,
        "costs": spent_table([{"method": method, **once} for method in ("good", "bad")]),
        "lds": pd.DataFrame(
            {"k": 50, "method": ["good", "bad"], "n_queries": 12, "n_models": 9}
        ).assign(lds=0.3, low=0.1, high=0.5),
        "ties": pd.DataFrame({"method": ["bad", "good"], "query": "q000", "k": 10, "tied": [4, 0]}),
        "repeatability": repeatability(bad=0.55, good=0.97),
    }


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return experiment("coco").model_dump(mode="json", exclude={"hardware"})


@pytest.fixture(scope="module")
def page(tables: dict[str, pd.DataFrame], config: dict[str, Any]) -> str:
    best = Ranked(np.array([1]), np.array([0.5]))
    pictures = Pictures(
        Layout(["good", "bad", "random"], 1, [10]),
        dict.fromkeys(("q000", "queries"), data_address(b"png", "png")),
        {"q000": NASTY},
        {"q000": {"good": best, "bad": best}},
        ["a cat", NASTY],
    )
    versions = pd.DataFrame({"stage": ["train"], "jobs": [1], "commit": ["abc"]})
    costs = pd.DataFrame({"stage": ["train"], "jobs": 2, "hours": 1.0, "memory_gb": 3.0})
    context = document(
        tables,
        config,
        figures=dict.fromkeys(
            (
                "measures",
                "ranking",
                "equivalents",
                "timesteps",
                "agreement",
                "repeatability",
                "costs",
            ),
            data_address(b"<svg/>", "svg+xml"),
        ),
        pictures=pictures,
        large=False,
        versions=versions,
        costs=costs,
        afterwards=(),
        scripts=[SCRIPT],
        published=pd.read_csv(REPORT / "published_results.csv"),
        paper=yaml.safe_load((REPORT / "paper.yaml").read_text()),
        clusters={},
    )
    return render(REPORT / "report.html.jinja", context)
