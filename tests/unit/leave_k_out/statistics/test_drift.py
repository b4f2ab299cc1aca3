"""The drift of a join, against made-up replicas."""

import numpy as np
import pandas as pd
import pytest

from leavekout.leave_k_out.report.cautions import cautions
from leavekout.leave_k_out.statistics.drift import drift_table, sentence
from leavekout.leave_k_out.statistics.equivalents import equivalents_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from studies import study


def replica(by: float) -> pd.DataFrame:
    """Rows of a model that has moved so far by every measure, on eight queries and on others."""
    unchanged = {"delta_loss": 0.0, "mse": 0.0, "clip": 1.0}
    rows = [
        (query, name, value + by)
        for name, value in unchanged.items()
        for query in (*(f"q{i:03d}" for i in range(8)), "t000")
    ]
    table = pd.DataFrame(rows, columns=["query", "measure", "value"])
    table.loc[table["query"] == "t000", "value"] = 99.0
    return table


def test_the_drift_is_the_replica_s_mean_over_test_queries() -> None:
    measurements = study()
    rows = drift_table([replica(0.02)], measurements).to_dict("records")
    table = {row["measure"]: row for row in rows}
    at = measurements[measurements["measure"] == "mse"].groupby(["method", "k"])["value"].mean()
    excess = np.median([abs(at[name, 10] - at["random", 10]) for name in ("good", "bad")])
    assert table["mse"]["n_queries"] == 8
    assert table["mse"]["drift"] == pytest.approx(0.02)
    assert table["clip"]["drift"] == pytest.approx(0.02)
    assert table["mse"]["effect"] == pytest.approx(excess)
    assert table["mse"]["share"] == pytest.approx(0.02 / excess)


def test_a_large_drift_is_cautioned_of() -> None:
    def said(by: float) -> str:
        measurements = study()
        return "\n".join(
            cautions(
                estimates=estimates_table(measurements, resamples=50),
                equivalents=equivalents_table(measurements, resamples=20),
                ties=pd.DataFrame(columns=["method", "query", "k", "tied"]),
                repeatability=pd.DataFrame(columns=["method", "k", "overlap"]),
                drift=drift_table([replica(by)], measurements),
            )
        )

    assert "drifted" not in said(0.02)
    assert "drifted from the one that trained the published models" in said(0.9)


def test_the_sentence_has_every_measure() -> None:
    text = sentence(drift_table([replica(0.02)], study()))
    assert "ΔL × 10³ 20 (" in text
    assert "mean over 8 queries" in text


@pytest.mark.parametrize(
    ("by", "said"), [(1e-9, "is unchanged: less than 0.1 %"), (0.02, "has drifted by ")]
)
def test_a_drift_of_nothing_has_no_digits(by: float, said: str) -> None:
    found = sentence(drift_table([replica(by)], study()))
    assert said in found
    assert "e-" not in found
