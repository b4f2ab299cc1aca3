"""Errors of crossed and clustered statistics against their closed forms."""

import numpy as np
import pytest

from leavekout.statistics.resampling import Resamples, crossed_error, mean


def test_a_crossed_error_is_that_of_its_variance_components() -> None:
    """Owen's (2007) bootstrap variances of Q queries, M models and both, and Satterthwaite's df."""
    query, model, both, queries, models = 2.0, 3.0, 5.0, 10, 4
    own = both / (queries * models)
    of_queries, of_models = query / queries + own, model / models + own
    of_both = query / queries + model / models + 3 * own
    a, b, c = (np.array(v) for v in (of_queries, of_models, of_both))
    error, freedom = crossed_error(a, b, c, queries, models)
    assert error**2 == pytest.approx(query / queries + model / models + own)
    expected = (of_queries + of_models) ** 2 / (of_queries**2 / 9 + of_models**2 / 3)
    assert freedom == pytest.approx(expected)


def test_a_crossed_error_is_at_least_that_of_queries_or_models_alone() -> None:
    """Which too few resamples could take it below."""
    error, _ = crossed_error(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.full(2, 5.5), 10, 4)
    assert error == pytest.approx(np.sqrt(2))


def test_a_constant_has_no_error_with_clusters_of_any_size() -> None:
    draws = Resamples(6, [], count=200, clusters=np.array([0, 0, 0, 1, 1, 2]))
    found = draws.estimate(lambda q, _: mean(np.full(6, 3.0), q))
    assert found.value == pytest.approx(3)
    assert found.error == pytest.approx(0, abs=1e-12)
