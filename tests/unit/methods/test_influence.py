"""Influence scores against explicit formulas in float64."""

from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.errors import InputError
from leavekout.methods.influence.solvers import (
    Features,
    cosine_scores,
    das_scores,
    datainf_scores,
    ensemble_scores,
    ridge_scores,
    with_halves,
)
from world import CPU


def whole(features: np.ndarray) -> Features:
    """Features [N, F, L, p] that are not in halves."""
    return Features(features[:, :, None])


def plain_kernel(x: np.ndarray, damping: float) -> np.ndarray:
    """Σ x xᵀ over images and flips, a flip with weight 1/2, plus λI."""
    return sum(np.outer(v, v) for image in x for v in image) / 2 + damping * np.eye(x.shape[-1])


@pytest.mark.parametrize("damping", [0.0, 3.0])
def test_ridge_scores_are_the_explicit_formula(damping: float) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 2, 1, 6)).astype(np.float32)
    queries = rng.standard_normal((3, 1, 6))
    found = ridge_scores(whole(features), torch.from_numpy(queries), damping=damping, device=CPU)
    x = features[:, :, 0].astype(np.float64)
    inverse = np.linalg.inv(plain_kernel(x, damping))
    for q in range(3):
        np.testing.assert_allclose(found[q], x @ inverse @ queries[q, 0], rtol=1e-9, atol=1e-12)


def test_models_are_averaged_before_the_better_flip_is_taken() -> None:
    of_models = [np.array([[[1.0, 0.0]]]), np.array([[[0.0, 0.5]]])]  # one query, image; two flips
    assert ensemble_scores(of_models).tolist() == [[0.5]]


def test_a_singular_kernel_is_refused() -> None:
    features = np.ones((4, 1, 1, 8), np.float32)
    with pytest.raises(InputError, match=r"4 images' gradients in 8 dimensions has no inverse"):
        ridge_scores(whole(features), torch.ones(1, 1, 8), damping=0.0, device=CPU)


def test_datainf_scores_are_the_closed_form() -> None:
    """The mean of explicit inverses (g gᵀ + λ I)⁻¹, layer by layer, without projection."""
    rng = np.random.default_rng(1)
    features = rng.standard_normal((9, 2, 2, 4)).astype(np.float32)
    queries = rng.standard_normal((2, 2, 4))
    entries = [40, 10]
    options: Any = {"damping": 0.1, "device": CPU}
    found = datainf_scores(whole(features), torch.from_numpy(queries), entries, **options)
    g, v = features.astype(np.float64) / 2, queries / 2  # inner products are over p = 4
    flat = g.reshape(18, 2, 4)
    expected = np.zeros((2, 9, 2))
    for layer, d in enumerate(entries):
        ridge = 0.1 * np.mean([x @ x for x in flat[:, layer]]) / d
        inverses = [np.linalg.inv(np.outer(x, x) + ridge * np.eye(4)) for x in flat[:, layer]]
        inverse = np.mean(inverses, axis=0)
        expected += np.einsum("ifp,pr,qr->qif", g[:, :, layer], inverse, v[:, layer])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_das_scores_are_the_explicit_formula() -> None:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((30, 2, 1, 6)).astype(np.float32)
    queries, losses = rng.standard_normal((3, 1, 6)), rng.random((30, 2))
    found = das_scores(whole(features), torch.from_numpy(queries), losses, damping=2.0, device=CPU)
    x = features[:, :, 0].astype(np.float64)
    kernel = plain_kernel(x, 2.0)
    inverse = np.linalg.inv(kernel)
    for q in range(3):
        for i in range(30):
            for f in range(2):
                phi = x[i, f]
                # Leaving out one flip, with its weight of 1/2, by an explicit inverse.
                without = np.linalg.inv(kernel - np.outer(phi, phi) / 2)
                assert queries[q, 0] @ without @ phi == pytest.approx(
                    queries[q, 0] @ inverse @ phi / (1 - phi @ inverse @ phi / 2)
                )
                expected = (queries[q, 0] @ without @ phi * losses[i, f] ** 0.5) ** 2
                assert found[q, i, f] == pytest.approx(expected, rel=1e-9)


def test_cosine_scores_are_cosines() -> None:
    rng = np.random.default_rng(4)
    features = rng.standard_normal((5, 2, 3, 4)).astype(np.float32)
    queries = rng.standard_normal((2, 3, 4))
    found = cosine_scores(whole(features), torch.from_numpy(queries), device=CPU, damping=0.0)
    for q in range(2):
        for i in range(5):
            a, b = features[i, 1].astype(float).ravel(), queries[q].ravel()
            expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            assert found[q, i, 1] == pytest.approx(expected, rel=1e-9)


def test_halves_are_solved_alone() -> None:
    rng = np.random.default_rng(5)
    array = rng.standard_normal((12, 1, 2, 1, 4)).astype(np.float32)
    queries = torch.from_numpy(rng.standard_normal((3, 2, 1, 4)))

    def solve(features: Features, of: torch.Tensor) -> np.ndarray:
        return ridge_scores(features, of, damping=0.5, device=CPU)

    found = with_halves(array, queries, solve)
    assert found.shape == (3, 3, 12, 1)
    for half in range(2):
        alone = solve(whole(array[:, :, half]), queries[:, half])
        np.testing.assert_allclose(found[1 + half], alone, rtol=1e-9)
    mean = solve(whole(array.astype(np.float64).mean(2)), queries.mean(1))
    np.testing.assert_allclose(found[0], mean, rtol=1e-6)
    assert with_halves(array, queries[:, :1], solve).shape == (1, 3, 12, 1)


@pytest.mark.parametrize("solver", ["ridge", "das", "datainf"])
def test_images_that_a_model_was_not_trained_on_change_no_others_score(solver: str) -> None:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((9, 2, 2, 4)).astype(np.float32)
    queries, losses = torch.from_numpy(rng.standard_normal((2, 2, 4))), rng.random((9, 2))
    trained = np.arange(9) < 7

    def scores(of: np.ndarray, trained: np.ndarray | None) -> np.ndarray:
        options: Any = {"damping": 0.5, "device": CPU, "trained": trained}
        if solver == "ridge":
            return ridge_scores(whole(of), queries, **options)
        if solver == "das":
            return das_scores(whole(of), queries, losses[: len(of)], **options)
        return datainf_scores(whole(of), queries, [40, 10], **options)

    found = scores(features, trained)
    assert found.shape == (2, 9, 2)
    np.testing.assert_allclose(found[:, :7], scores(features[:7], None), rtol=1e-9)
    assert not np.allclose(found, scores(features, None))


def test_das_leaves_nothing_out_where_a_model_was_not_trained() -> None:
    """Such an image has no leverage: its score is (φ(ẑ)ᵀ G φ(z) r(z))²."""
    rng = np.random.default_rng(6)
    features, losses = rng.standard_normal((9, 2, 1, 4)).astype(np.float32), rng.random((9, 2))
    query, trained = rng.standard_normal((1, 1, 4)), np.arange(9) < 7
    options: Any = {"damping": 0.5, "device": CPU, "trained": trained}
    found = das_scores(whole(features), torch.from_numpy(query), losses, **options)
    x = features[:, :, 0].astype(np.float64)
    solved = np.linalg.solve(plain_kernel(x[:7], 0.5), query[0, 0])
    np.testing.assert_allclose(found[0, 7:], (x[7:] @ solved) ** 2 * losses[7:], rtol=1e-9)
