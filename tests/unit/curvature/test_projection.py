"""Projection against its explicit matrix and the Hadamard transform."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.linalg import hadamard

from leavekout.base.errors import InputError
from leavekout.curvature.projection import Projection, hadamard_transform
from reference import explicit_matrix
from world import CPU


@pytest.mark.parametrize("size", [1, 2, 64, 128, 4096])
def test_the_fast_transform_is_the_hadamard_matrix(size: int) -> None:
    x = torch.randn(3, size, dtype=torch.float64)
    expected = x @ torch.from_numpy(hadamard(size)).double().T
    torch.testing.assert_close(hadamard_transform(x), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(("entries", "dimension"), [(100, 48), (1000, 4), (2048, 16), (515, 16)])
def test_projection_is_its_matrix_of_signs(entries: int, dimension: int) -> None:
    projection = Projection(entries, dimension, seed=1, number=0, device=CPU)
    p = explicit_matrix(projection)
    assert set(p.unique().tolist()) == {-1.0, 1.0}
    g = torch.randn(5, entries, dtype=torch.float64)
    torch.testing.assert_close(projection(g), g @ p.T, rtol=1e-12, atol=1e-10)
    whole = torch.from_numpy(hadamard(projection.size)).double()[projection.rows]
    torch.testing.assert_close(whole @ whole.T, projection.size * torch.eye(dimension).double())
    assert len(set(projection.rows.tolist())) == dimension


def test_projection_depends_on_its_key_alone() -> None:
    def matrix(**key: int) -> torch.Tensor:
        return explicit_matrix(Projection(64, 8, device=CPU, **key))

    assert torch.equal(matrix(seed=1, number=0), matrix(seed=1, number=0))
    assert not torch.equal(matrix(seed=1, number=0), matrix(seed=2, number=0))
    assert not torch.equal(matrix(seed=1, number=0), matrix(seed=1, number=1))


@pytest.mark.parametrize("entries", [300, 3000])  # the latter is folded, from 3000 to 512
def test_projected_inner_products_are_unbiased(entries: int) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, entries, generator=generator, dtype=torch.float64)
    b = b + a  # so that the product is not near zero
    found = []
    for seed in range(400):
        pa, pb = Projection(entries, 16, seed=seed, number=0, device=CPU)(torch.stack([a, b]))
        found.append(float(pa @ pb) / 16)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - float(a @ b)) < 4 * error
    # About the variance of a Gaussian projection.
    gaussian = np.sqrt(float((a @ a) * (b @ b) + (a @ b) ** 2) / 16)
    assert np.std(found) < 1.15 * gaussian


def test_a_projection_that_does_not_reduce_is_refused() -> None:
    with pytest.raises(InputError, match="no reduction of gradients with 10 entries"):
        Projection(10, 17, seed=0, number=0, device=CPU)


def test_an_even_gradient_is_estimated_as_well_as_any() -> None:
    """Without random signs, it would be in one row of the transform alone."""
    g = torch.ones(1, 512, dtype=torch.float64)
    for seed in range(20):
        found = Projection(512, 64, seed=seed, number=0, device=CPU)(g).square().mean() / 512
        assert 0.3 < float(found) < 2  # 1 ± √(2 / 64)


def test_rows_are_drawn_from_the_whole_transform() -> None:
    drawn = [Projection(512, 16, seed=seed, number=0, device=CPU).rows for seed in range(40)]
    counts = torch.bincount(torch.cat(drawn) // 64, minlength=8)
    assert stats.chisquare(counts).pvalue > 0.001
