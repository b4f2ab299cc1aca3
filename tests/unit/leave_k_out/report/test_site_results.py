"""A study's results on the site, with rows that others contributed."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from leavekout.base.artifacts import save_csv
from leavekout.base.errors import InputError
from leavekout.leave_k_out.report.contributed import read_contributed
from leavekout.leave_k_out.report.site import results_of

ABOUT = {
    "method": "theirs",
    "who": "A. <b>Group</b>",
    "paper": "https://arxiv.org/abs/1234.56789",
    "code": "none",
    "licence": "MIT",
    "date": "2026-11-30",
}


def row(
    method: str, k: int, excess: float, p: float, measure: str = "delta_loss"
) -> dict[str, Any]:
    """A row of the estimates; the interval is ± 0.002."""
    return {
        **{"measure": measure, "k": k, "method": method, "n_models": 4},
        **{"mean": 0.02, "mean_low": 0.01, "mean_high": 0.03, "mean_error": 0.005},
        **{"excess": excess, "excess_low": excess - 0.002, "excess_high": excess + 0.002},
        **{"excess_error": 0.001, "p_corrected": p},
    }


def control(method: str, k: int, measure: str = "delta_loss") -> dict[str, Any]:
    return row(method, k, float("nan"), float("nan"), measure)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    rows = [
        *(control("no_removal", 0), control("random", 5), control("random", 10)),
        *(row("low", 10, 0.003, 0.2), row("high", 10, 0.0123, 0.01), row("worse", 10, -0.01, 0.01)),
        row("high", 5, 0.004, 0.04),
    ]
    save_csv(tmp_path / "estimates.csv", pd.DataFrame(rows))
    costs = {"method": "high", "seconds_per_query": 12.34, "seconds_per_query_here": 0.567}
    save_csv(tmp_path / "costs.csv", pd.DataFrame([costs]))
    return tmp_path


def test_methods_are_in_order_of_their_excess(tables: Path) -> None:
    main = results_of(tables).main
    assert main.title == "Excess over random removal, K = 10"
    assert main.table["method"].tolist() == ["high", "low", "worse"]
    assert main.table["excess ΔL × 10³"].tolist() == [
        *("12.3 (10.3 to 14.3) \\*", "3.0 (1.0 to 5.0)", "−10.0 (−12.0 to −8.0)")
    ]  # `worse` is significantly different, and not better
    assert main.table["seconds for each query"].tolist() == ["0.57", "–", "–"]


def test_lower_is_better_for_similarities(tmp_path: Path) -> None:
    rows = [
        *(control("random", 10, "clip"), row("up", 10, 0.1, 0.01, "clip")),
        row("down", 10, -0.1, 0.01, "clip"),
    ]
    save_csv(tmp_path / "estimates.csv", pd.DataFrame(rows))
    table = results_of(tmp_path).main.table
    assert table["method"].tolist() == ["down", "up"]
    assert [cell.endswith("\\*") for cell in table["excess CLIP similarity"]] == [True, False]


def test_a_method_has_a_row_for_each_k_and_measure(tables: Path) -> None:
    table = results_of(tables).of_method["high"]
    assert table["K"].tolist() == ["5", "10"]
    assert table["beats random removal"].tolist() == ["**yes** (p = 0.04)", "**yes** (p = 0.01)"]
    worse = results_of(tables).of_method["worse"]
    assert worse["beats random removal"].tolist() == ["not shown (p = 0.01)"]


def test_topic_removal_has_columns_of_its_own(tmp_path: Path) -> None:
    over = {"topic_excess": 0.004, "topic_excess_low": 0.003, "topic_excess_high": 0.005}
    over |= {"topic_excess_error": 0.0005, "topic_p_corrected": 0.6}
    rows = [control("random", 10), control("topic", 10), row("high", 10, 0.01, 0.01) | over]
    save_csv(tmp_path / "estimates.csv", pd.DataFrame(rows))
    results = results_of(tmp_path)
    assert results.main.table["over topic removal, ΔL × 10³"].tolist() == ["4.00 (3.00 to 5.00)"]
    assert results.of_method["high"]["beats topic removal"].tolist() == ["not shown (p = 0.6)"]


@pytest.fixture
def contribution(tmp_path: Path) -> Path:
    folder = tmp_path / "contributed" / "digits" / "theirs"
    folder.mkdir(parents=True)
    (folder / "about.yaml").write_text(yaml.safe_dump(ABOUT))
    save_csv(folder / "rows.csv", pd.DataFrame([row("theirs", 10, 0.005, 0.03)]))
    return folder


def test_a_contributed_row_is_among_the_others(tables: Path, contribution: Path) -> None:
    (one,) = read_contributed(contribution.parents[1], ["digits"], ["high"])
    assert one.credit() == (
        r"contributed by A. \<b\>Group\</b\>, 2026-11-30, "
        "[paper](https://arxiv.org/abs/1234.56789), licence MIT"
    )
    results = results_of(tables, [one.rows])
    assert results.main.table["method"].tolist() == ["high", "theirs", "low", "worse"]
    assert results.of_method["theirs"]["beats random removal"].tolist() == ["**yes** (p = 0.03)"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x) <script>", "see the paper"])
def test_what_is_no_web_address_is_no_link(contribution: Path, address: str) -> None:
    (contribution / "about.yaml").write_text(yaml.safe_dump({**ABOUT, "code": address}))
    (one,) = read_contributed(contribution.parents[1], ["digits"], [])
    assert f"({address}" not in one.credit()
    assert "<script" not in one.credit().replace("\\<", "")


@pytest.mark.parametrize(
    ("changed", "studies", "taken", "sentence"),
    [
        ({"who": ""}, ["digits"], [], "'who': .*please fill it in"),
        ({"method": "other"}, ["digits"], [], "'method' is 'other', but the folder's name"),
        ({}, ["letters"], [], "no published study 'digits'"),
        ({}, ["digits"], ["theirs"], "a method of this repository is called 'theirs'"),
    ],
)
def test_a_contribution_that_cannot_be_shown_is_refused(
    contribution: Path, changed: dict[str, str], studies: list[str], taken: list[str], sentence: str
) -> None:
    (contribution / "about.yaml").write_text(yaml.safe_dump({**ABOUT, **changed}))
    with pytest.raises(InputError, match=sentence):
        read_contributed(contribution.parents[1], studies, taken)


def test_rows_of_another_method_are_refused(contribution: Path) -> None:
    rows = pd.DataFrame([row("theirs", 10, 0.005, 0.03), row("high", 10, -1, 1)])
    save_csv(contribution / "rows.csv", rows)
    with pytest.raises(InputError, match="has to have rows of 'theirs' alone"):
        read_contributed(contribution.parents[1], ["digits"], [])


def test_there_may_be_no_contributions(tmp_path: Path) -> None:
    assert read_contributed(tmp_path / "contributed", ["digits"], []) == []
