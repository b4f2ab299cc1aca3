"""Our scores beside published ones: agreement that noise allows, and what fails."""

import numpy as np
import pandas as pd
import pytest

from leavekout.base.errors import InputError
from leavekout.leave_k_out.statistics.published import (
    in_words,
    published_table,
    require_agreement,
)

N, K = 4000, 200


def table(noise: float, *, wrong: bool = False) -> pd.DataFrame:
    """Two queries whose scores have a common truth, ours and theirs with own noise."""
    pairs, drawn = [], np.random.default_rng(0)
    for query in ("q000", "q001"):
        truth = drawn.standard_normal(N)
        halves = truth + np.sqrt(2) * noise * drawn.standard_normal((2, N))
        theirs = truth + noise * drawn.standard_normal(N)
        if wrong and query == "q001":
            theirs = theirs[::-1]
        pairs.append((query, halves.mean(0), theirs, halves))
    return published_table(pairs, [K])


@pytest.mark.parametrize("noise", [0.01, 0.5, 1.0])
def test_the_same_scores_agree_as_well_as_ours_with_themselves(noise: float) -> None:
    found = table(noise)
    assert found["query"].tolist() == ["q000", "q001"]
    for name in ("rank_correlation", "overlap"):
        np.testing.assert_allclose(found[name], found[f"{name}_repeated"], atol=0.06)
    assert found["rank_correlation"][0] == pytest.approx(1 / (1 + noise**2), abs=0.05)
    require_agreement(found, 0.85, "abu")
    assert in_words(found)[1].startswith("q001: rank correlation ")


def test_images_in_another_order_fail() -> None:
    with pytest.raises(InputError, match=r"'abu' do not agree .* on 1 of 2 queries, the first q00"):
        require_agreement(table(0.5, wrong=True), 0.85, "abu")


def test_scores_that_do_not_repeat_cannot_pass() -> None:
    drawn = np.random.default_rng(0)
    halves = np.array([np.arange(N), -np.arange(N)], float)
    scores = drawn.standard_normal(N)
    with pytest.raises(InputError, match="'abu' depend too much on their noise for a comparison"):
        require_agreement(published_table([("q000", scores, scores, halves)], [K]), 0.85, "abu")


def test_scores_without_noise_have_to_be_equal() -> None:
    scores = np.random.default_rng(0).standard_normal(N)
    found = published_table([("q000", scores, 2 * scores + 1, None)], [K])
    assert found[["rank_correlation", "overlap"]].to_numpy() == pytest.approx(1)
    require_agreement(found, 1.0, "abu")
