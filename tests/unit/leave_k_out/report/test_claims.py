"""What the report claims, in its sentences and in its headline table."""

import numpy as np
import pandas as pd

from leavekout.leave_k_out.measures.registry import measure
from leavekout.leave_k_out.report.claims import claims, pairs_table, verdict
from leavekout.leave_k_out.report.headline import as_latex, controls, headline, note, ranked
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.estimates import estimates_table
from leavekout.report.text import keyed
from studies import study


def test_claims_name_the_methods_without_evidence(tables: dict[str, pd.DataFrame]) -> None:
    doubtful = tables["estimates"].copy()
    doubtful.loc[doubtful["method"] == "bad", "p_corrected"] = 0.2
    worse = doubtful["method"].eq("good") & doubtful["measure"].eq("clip")
    doubtful.loc[worse, "excess"] = 0.1  # significant, and on the wrong side
    text = claims(doubtful, tables["comparisons"])
    assert (
        "K = 10, ΔL: 1 of 2 methods are significantly ahead of random removal; not shown for bad."
        in text
    )
    assert any(
        "CLIP similarity: 0 of 2 methods are significantly ahead" in sentence for sentence in text
    )


def test_topic_removal_is_a_control_of_its_own_in_sentences_and_headline() -> None:
    measurements = study(queries=12, topic_sets=2)
    estimates = estimates_table(measurements)
    comparisons = comparisons_table(measurements)
    sentences = claims(estimates, comparisons)
    assert "K = 10, ΔL: 1 of 2 methods are significantly ahead of topic removal: good." in sentences
    assert "2 of 2 methods are significantly ahead of random removal, 1 of topic removal" in (
        verdict(estimates, comparisons)
    )
    first, second = headline(
        estimates, comparisons, pd.DataFrame(columns=["measure", "k", "method"])
    )
    over = {row["removed by"]: row["over topic ΔL × 10³"] for row in first.to_dict("records")}
    assert over["good"].endswith(" *")
    assert over["bad"].startswith("−")  # significantly behind, which is a difference, too
    assert list(second) == ["removed by", "K", "over topic MSE × 10³", "over topic CLIP similarity"]
    assert "topic" in controls(estimates)[0]["removed"].tolist()
    assert "Over topic: the same for the removal of as many" in note(estimates)


def test_pairs_state_how_many_queries_would_settle_them(tables: dict[str, pd.DataFrame]) -> None:
    row = pairs_table(tables["comparisons"], 10, measure("mse")).to_dict("records")[0]
    assert row["significantly different"] == "yes"
    assert row["queries ahead"] == "12 of 12"
    assert int(row["queries needed"]) <= 12


def test_the_verdict_says_whom_the_first_is_not_shown_to_be_ahead_of(
    tables: dict[str, pd.DataFrame],
) -> None:
    pairs = tables["comparisons"].assign(distinguishable=False)
    text = verdict(tables["estimates"], pairs)
    assert text.startswith(
        "Of 2 methods, good comes first by ΔL, but is not shown to be ahead of bad. "
    )
    turned = tables["comparisons"].assign(ahead="bad", behind="good")
    assert "not shown to be ahead of bad" in verdict(tables["estimates"], turned)


def test_the_verdict_agrees_with_the_tables(tables: dict[str, pd.DataFrame]) -> None:
    text = verdict(tables["estimates"], tables["comparisons"])
    at = keyed(tables["estimates"], "measure", "k", "method")
    excess = 1e3 * at["delta_loss", 10, "good"]["excess"]
    assert text.startswith(
        "Of 2 methods, good does best by ΔL. Without the 10 images that good selects, the excess "
        "over random removal, ΔL × 10³, is "
    )
    assert f"is {excess:.0f}" in text
    assert text.endswith(
        "Over 12 queries, 2 of 2 methods are significantly ahead of random removal, and 1 of 1 "
        "pairs of methods are significantly different."
    )
    measurements = study(queries=3, sets=1)
    noise = np.random.default_rng(1).standard_normal(len(measurements))
    measurements["value"] = 0.1 * noise
    few_queries = verdict(
        estimates_table(measurements),
        comparisons_table(measurements),
    )
    assert "Over 3 queries, no method is significantly ahead of random removal" in few_queries


def test_methods_are_ranked_by_the_first_measure_in_its_direction() -> None:
    measurements = study(queries=6, measures=("clip", "delta_loss"))
    estimates = estimates_table(measurements)
    assert ranked(estimates, 10) == ["good", "bad"]  # the lower similarity is the better
    assert "for the same effect, by CLIP similarity" in note(estimates)


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
