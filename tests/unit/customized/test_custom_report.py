"""The page of an experiment on customized models, from made-up tables."""

import numpy as np
import pandas as pd
import pytest

from leavekout.customized.report import CustomizedPictures, document, verdict
from leavekout.customized.statistics import comparisons_table, summary_table
from leavekout.report import gallery
from leavekout.report.page import render
from project import ROOT


def retrievals(models: int) -> pd.DataFrame:
    """Two methods on a few models: `good` finds nine of ten exemplars, `bad` one."""
    rows = [
        (method, f"m{model}", "object", f"m{model}-q{n:03d}", 10, 1000, share + 0.01 * model, share)
        for method, share in (("bad", 0.1), ("good", 0.9))
        for model in range(models)
        for n in range(3)
    ]
    names = ["method", "model", "kind", "query", "exemplars", "candidates"]
    return pd.DataFrame(rows, columns=[*names, "recall", "average_precision"])


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (7, "Of 2 methods, good has the highest Recall@10 of 0.93 ("),
        (1, "highest Recall@10 of 0.90, mean over 3 queries of 1 model."),
    ],
)
def test_the_page_opens_with_the_verdict(models: int, sentence: str) -> None:
    table = retrievals(models)
    summary, comparisons = summary_table(table), comparisons_table(table)
    assert sentence in verdict(summary, comparisons)
    significant = "It is significantly different from 1 of the 1 others, and 1 of 1 pairs"
    assert (significant in verdict(summary, comparisons)) == (models > 1)
    picture = gallery.picture(np.zeros((8, 8, 3), np.uint8))
    rows = [gallery.Row("exemplars", [picture])]
    tables = {"retrievals": table, "summary": summary, "comparisons": comparisons}
    tables["dictionary"] = pd.DataFrame({"column": ["method"], "meaning": ["name"]})
    config = {"experiment": "custom", "dataset": {"images": 990}, "customized": {"training": None}}
    config |= {section: {"seed": 0} for section in ("queries", "fisher", "losses")}
    context = document(
        tables,
        config,
        figures={"retrieval": "data:,"},
        gallery=[CustomizedPictures("m0-q000", "a <b>cat</b>", picture, rows, rows)],
        large=False,
        versions=pd.DataFrame({"stage": ["train"], "jobs": [1], "commit": ["abc"]}),
        costs=pd.DataFrame(columns=["stage", "jobs", "hours", "memory_gb"]),
    )
    page = render(ROOT / "workflow" / "report" / "custom.html.jinja", context)
    assert page.index(sentence) < page.index("a &lt;b&gt;cat") < page.index('<h2 id="result">')
