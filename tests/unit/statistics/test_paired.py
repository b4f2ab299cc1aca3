"""Means of paired differences against sums by hand, limma's formulas, and Student's t."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import polygamma

from leavekout.statistics.paired import cluster_variances, moderated, paired_means

CLUSTERS = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def test_a_clustered_variance_is_the_sum_of_its_definition() -> None:
    """Σ_c (Σ_q∈c e_q)² / tr Ω and (tr Ω)² / tr Ω², with Ω from the centring of queries."""
    values = np.random.default_rng(0).gamma(2, size=(3, 10))
    centring = np.eye(10) - np.full((10, 10), 0.1)
    # Of independent queries, Ω is the covariance of the clusters' sums of residuals.
    sums = np.array([[float(cluster == c) for cluster in CLUSTERS] for c in range(4)])
    omega = sums @ centring @ centring.T @ sums.T
    found, freedom = cluster_variances(values, CLUSTERS)
    for row, variance in zip(values, found, strict=True):
        total = 0.0
        for cluster in range(4):
            own = [x - row.mean() for x, c in zip(row, CLUSTERS, strict=True) if c == cluster]
            total += sum(own) ** 2
        assert variance == pytest.approx(total / np.trace(omega))
    assert freedom == pytest.approx(np.trace(omega) ** 2 / np.trace(omega @ omega))


def test_one_difference_of_independent_queries_has_student_s_interval_and_test() -> None:
    values = np.random.default_rng(1).gamma(2, size=(1, 9)) - 1.5
    found, expected = paired_means(values)[0], stats.ttest_1samp(values[0], 0)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value() == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("models", [None, 3])
def test_each_query_twice_says_no_more_than_each_query_once(models: int | None) -> None:
    rng = np.random.default_rng(2)
    once = rng.normal(0.5, 1, (4, 7))
    shared = None if models is None else rng.standard_normal((7, models))
    twice, pairs = np.repeat(once, 2, axis=1), np.repeat(np.arange(7), 2)
    again = None if shared is None else np.repeat(shared, 2, axis=0)
    plain, clustered = paired_means(once, shared=shared), paired_means(twice, pairs, shared=again)
    for name in ("value", "error", "query_error", "freedom"):
        assert getattr(clustered, name) == pytest.approx(getattr(plain, name)), name


def by_limma(variances: np.ndarray, d: float) -> tuple[np.ndarray, float]:
    """fitFDist and squeezeVar of limma (Smyth, 2004), by their published steps."""
    e = np.log(variances) - polygamma(0, d / 2) + np.log(d / 2)
    excess = e.var(ddof=1) - polygamma(1, d / 2)
    y = 0.5 + 1 / excess  # trigammaInverse by Newton's method
    for _ in range(50):
        trigamma = polygamma(1, y)
        y += trigamma * (1 - trigamma / excess) / polygamma(2, y)
    d0, s0 = 2 * y, np.exp(e.mean() + polygamma(0, y) - np.log(y))
    return (d0 * s0 + d * variances) / (d0 + d), d0


def test_moderated_variances_are_limma_s_while_the_prior_counts_less_than_the_data() -> None:
    rng = np.random.default_rng(3)
    variances = stats.chi2.rvs(30, size=40, random_state=rng) * rng.lognormal(0, 0.7, 40)
    expected, prior = by_limma(variances, 30)
    assert 0 < prior < 30
    found, ours = moderated(variances, 30)
    assert ours == pytest.approx(prior)
    assert found == pytest.approx(expected)
    assert np.log(found).std() < np.log(variances).std()


def test_a_prior_counts_at_most_as_much_as_the_data() -> None:
    """Variances of one true value, from which limma's prior would take all it can."""
    variances = stats.chi2.rvs(8, size=200, random_state=np.random.default_rng(4)) / 8
    found, prior = moderated(variances, 8.0)
    assert prior == 8
    common = 2 * found - variances  # (8 s0² + 8 s²) / 16
    assert common == pytest.approx(np.full(200, common[0]))
    assert common[0] == pytest.approx(1, abs=0.1)
    equal, _ = moderated(np.full(3, 2.0), 5.0)
    assert equal == pytest.approx(np.full(3, 2.0 * common_bias(5.0)))


def common_bias(freedom: float) -> float:
    """Equal variances look like ones of a larger mean, whose logarithm has this as its mean."""
    half = freedom / 2
    return (1 + np.exp(np.log(half) - polygamma(0, half))) / 2


def test_variances_that_cannot_be_moderated_stay() -> None:
    for variances in (np.array([2.0]), np.zeros(3)):
        found, prior = moderated(variances, 4.0)
        assert (found.tolist(), prior) == (variances.tolist(), 0)


def test_one_cluster_has_no_error_and_no_difference_no_significance() -> None:
    one = paired_means(np.ones((2, 3)), np.zeros(3))
    assert np.isnan([one.error, one.freedom, one.p_value()]).all()
    same = paired_means(np.array([[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]))
    assert same.p_value().tolist() == [0, 1]


def test_shared_models_add_their_variance_once() -> None:
    """Against the two-way analysis of variance: queries, models, and what a model does to one."""
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((6, 1)) + rng.standard_normal((1, 4)) + rng.normal(size=(6, 4))
    own = shared - shared.mean(axis=0) - shared.mean(axis=1, keepdims=True) + shared.mean()
    interaction = np.square(own).sum() / 5 / 3
    of_queries = shared.mean(axis=1).var(ddof=1) / 6
    of_models = shared.mean(axis=0).var(ddof=1) / 4
    found = paired_means(shared.mean(axis=1)[None], shared=shared)[0]
    assert found.error**2 == pytest.approx(of_queries + of_models - interaction / 24)
    total = (of_queries + of_models) ** 2
    assert found.freedom == pytest.approx(total / (of_queries**2 / 5 + of_models**2 / 3))
    assert found.query_error == pytest.approx(np.sqrt(of_queries))
    alone = paired_means(shared[:, :1].T, shared=shared[:, :1])[0]  # shows no noise of models
    assert alone.error == pytest.approx(shared[:, 0].std(ddof=1) / np.sqrt(6))
