"""Curvature in the formats of others: the same scale as ours, or refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.curvature.ekfac import solve
from leavekout.curvature.fisher import diagonal_fisher, fisher_samples
from leavekout.curvature.published import read_diagonal, read_kronfluence
from leavekout.models.denoiser import select_weights, skeleton
from reference import layer_traces
from world import MODEL

SAMPLES: dict[str, Any] = {"samples": 25, "seed": 5}
FILES = (
    "activation_eigenvectors", "gradient_eigenvectors", "lambda_matrix", "num_lambda_processed",
)  # fmt: skip


@pytest.fixture
def weights(denoiser64: Any) -> dict[str, torch.nn.Parameter]:
    return select_weights(denoiser64, "cross_attention_kv")


def gradients(denoiser: Any, process: Any, data: Any, name: str) -> Tensor:
    """The gradient of each sample: float64 [25, out, in]."""
    samples = fisher_samples(process, data, batch=1, what="test", **SAMPLES)
    traces = layer_traces(denoiser, name, samples, lambda z: z.loss(denoiser, process).sum())
    return torch.stack([g.T @ a for a, g in traces])


@pytest.fixture
def kronfluence(tmp_path: Path, denoiser64: Any, process: Any, data64: Any, weights: Any) -> Any:
    """Its four files, by its formulas: bases, sums over samples, and their number."""
    tensors: dict[str, dict[str, Tensor]] = {name: {} for name in FILES}
    for name in weights:
        module, each = name.removesuffix(".weight"), gradients(denoiser64, process, data64, name)
        u_s = torch.linalg.eigh(torch.einsum("nij,nkj->ik", each, each)).eigenvectors
        u_a = torch.linalg.eigh(torch.einsum("nij,nik->jk", each, each)).eigenvectors
        rotated = u_s.T @ each @ u_a
        parts = (u_a, u_s, rotated.square().sum(0), torch.tensor([len(each)]))
        for file, part in zip(FILES, parts, strict=True):
            tensors[file][module] = part.contiguous()
            tensors[file]["another.module"] = torch.ones(2, 3)  # of weights that we do not move
    for file, content in tensors.items():
        save_file(content, tmp_path / f"{file}.safetensors")
    return tmp_path, tensors


def test_kronfluence_s_sums_become_means(
    denoiser64: Any, process: Any, data64: Any, weights: Any, kronfluence: Any
) -> None:
    """The step solves the dense curvature with a damping of a tenth of its mean."""
    factors = read_kronfluence(kronfluence[0], weights)
    generator = torch.Generator().manual_seed(0)
    for name, weight in weights.items():
        module = name.removesuffix(".weight")
        u_a, u_s, sums, count = (kronfluence[1][file][module] for file in FILES)
        q, mean = torch.kron(u_s, u_a), (sums / count).flatten()
        dense = q @ torch.diag(mean + 0.1 * mean.mean()) @ q.T
        gradient = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        expected = torch.linalg.solve(dense, gradient.flatten()).reshape(weight.shape)
        found = solve(factors, {name: gradient}, damping=0.1)[name]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
        # Σ Λ = E‖G‖², whatever the basis.
        norms = gradients(denoiser64, process, data64, name).square().sum((1, 2)).mean()
        total = factors[f"{name}.eigenvalues"].double().sum()
        torch.testing.assert_close(total, norms, rtol=1e-5, atol=0)


def any_factors(weights: dict[str, torch.nn.Parameter]) -> list[dict[str, Tensor]]:
    """Tensors of the four files that could be of these weights."""
    found: list[dict[str, Tensor]] = [{}, {}, {}, {}]
    for name, weight in weights.items():
        bases = (torch.linalg.qr(torch.randn(side, side))[0] for side in weight.shape[::-1])
        parts = (*bases, torch.rand(weight.shape), torch.tensor([3]))
        for content, part in zip(found, parts, strict=True):
            content[name.removesuffix(".weight")] = part.contiguous()
    return found


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (0, "absent", "'.*attn2.to_k' is absent, but .* is needed"),
        (1, "shape", "is not of the configuration's model"),
        (0, "basis", "is no orthogonal basis"),
        (1, "nan", "are NaN or infinite"),
        (2, "nan", "are NaN or infinite"),
        (2, "negative", "has negative values or zeros alone"),
        (2, "zero", "has negative values or zeros alone"),
        (3, "absent", "has no number of samples for"),
        (3, "file", "num_lambda_processed.safetensors: there is no such file"),
        (2, "damaged", "lambda_matrix.safetensors: not a complete safetensors file"),
    ],
)
def test_other_factors_are_refused(tmp_path: Path, file: int, change: str, message: str) -> None:
    weights = select_weights(skeleton(MODEL), "cross_attention_kv")
    files = any_factors(weights)
    paths = [tmp_path / f"{name}.safetensors" for name in FILES]
    for content, path in zip(files, paths, strict=True):
        save_file(content, path)
    read_kronfluence(tmp_path, weights)  # as they are, they are read
    content, path = files[file], paths[file]
    first = next(iter(weights)).removesuffix(".weight")
    match change:
        case "absent":
            del content[first]
        case "shape":
            content[first] = content[first][:1].contiguous()
        case "basis":
            content[first] = 1.1 * content[first]
        case "nan":
            content[first][0, 0] = torch.nan
        case "negative":
            content[first][0, 0] = -1.0
        case "zero":
            content[first] = 0 * content[first]
    save_file(content, path)
    if change == "file":
        path.unlink()
    if change == "damaged":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=message):
        read_kronfluence(tmp_path, weights)


def test_a_published_diagonal_is_ours(
    tmp_path: Path, denoiser64: Any, process: Any, data64: Any, weights: Any
) -> None:
    """The mean of squared gradients of each sample, in float64, for more weights than needed."""
    theirs = {
        name: gradients(denoiser64, process, data64, name).square().mean(0) for name in weights
    }
    path = tmp_path / "fisher_info.pt"
    torch.save(theirs | {"conv_in.bias": torch.ones(3)}, path)
    found = read_diagonal(path, weights)
    ours = diagonal_fisher(denoiser64, process, data64, weights, batch=4, **SAMPLES)
    assert found.keys() == ours.keys()
    for name in ours:
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], ours[name], rtol=1e-5, atol=0)
    name = next(iter(weights))
    for wrong, message in (
        ({}, "is absent, but"),
        ({name: theirs[name][:2]}, r"is \(2, .* is needed"),
        ({name: -theirs[name]}, "has negative values"),
        ({name: theirs[name] * torch.inf}, "NaN or infinite"),
    ):
        torch.save({key: t for key, t in theirs.items() if key != name} | wrong, path)
        with pytest.raises(InputError, match=message):
            read_diagonal(path, weights)
