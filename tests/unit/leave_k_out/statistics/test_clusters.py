"""Clusters of queries, which count as one."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from leavekout.leave_k_out.statistics.clusters import clusters, in_common
from leavekout.leave_k_out.statistics.comparisons import comparisons_table
from leavekout.leave_k_out.statistics.estimates import mean_over_queries
from leavekout.leave_k_out.statistics.power import queries_needed
from leavekout.statistics.significance import sign_flips
from studies import study

COUNT = 20_000


def test_queries_of_a_cluster_count_as_one() -> None:
    """Each query twice says no more than each query once."""
    once = np.random.default_rng(4).normal(0.5, 1, (2, 7))
    twice, pairs = np.repeat(once, 2, axis=1), np.repeat(np.arange(7), 2)
    plain = sign_flips(once, resamples=1000)
    clustered = sign_flips(twice, resamples=1000, clusters=pairs)
    np.testing.assert_allclose(clustered, plain)
    ours = mean_over_queries(twice[0], COUNT, clusters=pairs)
    expected = stats.ttest_1samp(once[0], 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=0.03)
    needed = queries_needed(once[0], level=0.01)
    assert queries_needed(twice[0], level=0.01, clusters=pairs) == 2 * needed
    tables = [comparisons_table(study(alike=alike), resamples=100) for alike in (1, 2)]
    assert [set(table["n_clusters"]) for table in tables] == [{8}, {4}]
    assert tables[1]["p"].min() == pytest.approx(2 / 2**4)


def test_queries_belong_together_by_their_prompts_or_by_their_nearest_images() -> None:
    sets = np.arange(40).reshape(4, 10)
    half = np.r_[sets[0][:5], sets[2][:5]]
    near = {"a": sets[0], "b": half, "c": sets[1], "d": sets[3]}
    prompts = {"a": "one", "b": "two", "c": "three", "d": "three"}
    found = clusters(near, prompts, images=1000)
    assert found == {"a": "a", "b": "a", "c": "c", "d": "c"}
    assert in_common(sets[0], sets[0], images=1000) == pytest.approx(1)
    rng = np.random.default_rng(5)
    random = [rng.permutation(100)[:50] for _ in range(400)]
    shares = [in_common(a, b, images=100) for a, b in pairwise(random)]
    assert np.mean(shares) == pytest.approx(0, abs=0.02)


def test_a_chain_of_queries_is_not_one_cluster() -> None:
    """Neighbours share 40 % of their images, others nothing, so clusters are pairs."""
    near = {f"q{i}": np.arange(6 * i, 6 * i + 10) for i in range(8)}
    prompts = {name: name for name in near}
    found = clusters(near, prompts, images=1000)
    assert sorted(Counter(found.values()).values()) == [2, 2, 2, 2]
    assert all(found[name] <= name for name in near)  # named after their first
    assert clusters(near, prompts, images=1000, shared=0.5) == prompts
