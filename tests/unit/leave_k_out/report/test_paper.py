"""The paper's numbers and settings beside ours."""

from typing import Any

import pandas as pd
import yaml

from leavekout.leave_k_out.report.settings import published_table, settings_table
from project import ROOT

REPORT = ROOT / "workflow" / "report"


def test_published_numbers_are_in_our_units_beside_ours(
    tables: dict[str, pd.DataFrame],
) -> None:
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
        known = {"queries.tuning", "counterfactual.retrain_seeds", "unlearning.unlearning.damping"}
        assert rows[key]["paper"] in ("not stated", "20 source models") or key in known
