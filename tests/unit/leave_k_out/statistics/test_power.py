"""Parts of the variance and power against simulation."""

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.power import (
    power_table,
    queries_needed,
    retraining_variance,
    smallest_effect,
    variance_table,
)
from leavekout.report.text import keyed
from studies import study


def test_the_variance_is_split_into_what_was_put_in() -> None:
    """Retraining noise and its shared part, recovered on average over studies."""
    rng = np.random.default_rng(8)
    shared, own = 0.6, 0.9
    found = [
        retraining_variance(
            rng.standard_normal((25, 1))
            + shared * rng.standard_normal((1, 8))
            + own * rng.standard_normal((25, 8))
        )
        for _ in range(600)
    ]
    within, common = np.mean(found, axis=0)
    assert within == pytest.approx(shared**2 + own**2, rel=0.05)
    assert common == pytest.approx(shared**2, rel=0.1)


def test_the_parts_of_the_variance_sum_up() -> None:
    table = variance_table(study())
    assert set(table["method"]) == {"good", "bad"}
    parts = table[["query", "retraining", "evaluation"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(table["total"].to_numpy())
    assert (table["shared"] <= table["retraining"] + 1e-12).all()


def test_the_smallest_difference_has_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(9)
    for level in (0.05, 0.05 / 28):
        effect = smallest_effect(12, 11, level=level) / np.sqrt(12)
        p = stats.ttest_1samp(rng.normal(effect, 1, (20_000, 12)), 0, axis=1).pvalue
        assert np.mean(p <= level) == pytest.approx(0.8, abs=0.01)
    assert np.isinf(smallest_effect(5, 4, level=0.05))  # no sign-flip test can show it


def test_queries_needed_have_80_per_cent_power_in_simulation() -> None:
    rng = np.random.default_rng(10)
    differences = rng.standard_normal(12)
    differences = 0.5 + (differences - differences.mean()) / differences.std(ddof=1)
    needed = int(queries_needed(differences, level=0.01))
    p = stats.ttest_1samp(rng.normal(0.5, 1, (20_000, needed)), 0, axis=1).pvalue
    assert np.mean(p <= 0.01) == pytest.approx(0.8, abs=0.02)
    assert queries_needed(differences + 100, level=0.05 / 28) == 6  # 2^(1 − 6) ≤ 0.05


def test_more_queries_and_retrainings_show_smaller_differences() -> None:
    table = keyed(power_table(study()), "measure", "comparison", "queries", "retrainings")
    few = table["mse", "two methods", 12, 1]
    assert few["difference_holm"] >= few["difference"] > 0
    assert table["mse", "two methods", 50, 1]["difference"] < few["difference"]
    assert table["mse", "two methods", 12, 4]["difference"] <= few["difference"]


@pytest.mark.parametrize("queries", [3, 8, 40])
@pytest.mark.parametrize("sets", [2, 4])
def test_one_cluster_shows_no_power(queries: int, sets: int) -> None:
    table = power_table(study(queries=queries, alike=queries, sets=sets))
    assert len(table)
    assert table[["difference", "difference_holm"]].isna().all(axis=None)


PAIRS = [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("differences", "clusters", "needed"),
    [
        ([0.3], [0], np.nan),
        ([0.1, 0.2, 0.3], [0, 0, 0], np.nan),  # one cluster
        ([1, -1] * 4, PAIRS, np.nan),  # clusters do not vary
        ([2, 4] * 4, PAIRS, np.nan),
        (0.3 + 1e-16 * np.arange(8), None, np.nan),  # rounding
        (0.3 + 1e-12 * np.arange(8), None, np.nan),
        (0.3 + 1e-6 * np.arange(8), None, 6),
        ([1, -1, 2, -2], None, np.inf),
        ([1, -1, 1e-200], None, np.inf),
    ],
)
def test_queries_needed_where_little_or_nothing_varies(
    differences: list[float], clusters: list[int] | None, needed: float
) -> None:
    members = None if clusters is None else np.array(clusters)
    found = queries_needed(np.array(differences, float), level=0.05, clusters=members)
    assert found == pytest.approx(needed, nan_ok=True)
