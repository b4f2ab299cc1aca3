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
    """Rows of a model that drifted `by` on eight test queries, and more on a tuning query."""
    unchanged = {"delta_loss": 0.0, "mse": 0.0, "clip": 1.0}
    rows = [(f"q{i:03d}", name, value + by) for name, value in unchanged.items() for i in range(8)]
    rows += [("t000", name, 99.0) for name in unchanged]
    return pd.DataFrame(rows, columns=["query", "measure", "value"])


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


def test_a_drift_in_either_direction_is_a_share_of_an_effect_in_either_direction() -> None:
    up, down = (drift_table([replica(by)], study()) for by in (0.02, -0.02))
    assert (down["drift"] < 0).all()
    assert (down["share"] > 0).all()
    assert (down["effect"] > 0).all()
    assert down["share"].tolist() == pytest.approx(up["share"].tolist())


def test_a_large_drift_has_a_caution() -> None:
    def output_of(by: float) -> str:
        measurements = study()
        return "\n".join(
            cautions(
                estimates=estimates_table(measurements),
                equivalents=equivalents_table(measurements, resamples=20),
                ties=pd.DataFrame(columns=["method", "query", "k", "tied"]),
                repeatability=pd.DataFrame(columns=["method", "k", "overlap"]),
                drift=drift_table([replica(by)], measurements),
            )
        )

    assert "drifted" not in output_of(0.02)
    assert "drifted from the one that trained the published models" in output_of(0.9)


@pytest.mark.parametrize(
    ("by", "parts"),
    [
        (1e-9, ["is unchanged: less than 0.1 %"]),
        (0.02, ["has drifted by ", "ΔL × 10³ 20 (", "mean over 8 queries"]),
    ],
)
def test_the_sentence_states_each_drift_that_is_not_negligible(by: float, parts: list[str]) -> None:
    text = sentence(drift_table([replica(by)], study()))
    assert all(part in text for part in parts)
    assert "e-" not in text
