"""Queries by name, related prompts, and outcomes as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from leavekout.base.artifacts import save_npy, save_table
from leavekout.base.errors import InputError
from leavekout.config.experiment import Sampling
from leavekout.contract.outcome import Outcome, combined
from leavekout.leave_k_out.config import Evaluation
from leavekout.leave_k_out.evaluation import evaluate
from leavekout.leave_k_out.related import choose_related
from leavekout.leave_k_out.removals import related_names
from leavekout.models.denoiser import build_denoiser
from leavekout.queries.loading import Queries
from world import CPU, MODEL


def test_queries_are_read_by_name(tmp_path: Path) -> None:
    names = ["q000", "q001", "t000"]
    table = pd.DataFrame({"query": names, "prompt": ["a", "b", "c"], "noise_seed": [7, 8, 9]})
    save_table(tmp_path / "queries.parquet", table)
    latents = np.arange(3 * 4, dtype=np.float32).reshape(3, 4, 1, 1)
    save_npy(tmp_path / "latents.npy", latents)
    save_npy(tmp_path / "text.npy", latents.reshape(3, 2, 2))
    files = {f"query_{name}": tmp_path / f"{name}.npy" for name in ("latents", "text")}
    files["query_table"] = tmp_path / "queries.parquet"
    found = Queries.load(files, ["t000", "q001"], CPU)
    assert (found.noise_seeds, found.rows) == ([9, 8], [2, 1])
    assert torch.equal(found.latents, torch.from_numpy(latents[[2, 1]]))


def test_related_prompts_are_the_nearest_that_belong_to_no_query() -> None:
    queries = pd.DataFrame({"prompt": ["a0", "a2"]}, index=["q000", "q001"])
    prompts = [f"a{i}" for i in range(10)]

    def encode(texts: Sequence[str]) -> np.ndarray:
        """On a circle, where near numbers are near."""
        angle = np.array([int(text[1:]) for text in texts]) * 0.1
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def names(count: int) -> dict[str, tuple[str, ...]]:
        return {query: related_names(query, count) for query in queries.index}

    table = choose_related(queries, prompts, encode, names=names(2), seed=0)
    assert table["query"].tolist() == ["q000-r00", "q000-r01", "q001-r00", "q001-r01"]
    assert table["prompt"].tolist() == ["a1", "a3", "a1", "a3"]
    assert table["noise_seed"].nunique() == 4
    with pytest.raises(InputError, match="9 related prompts for each query, but there are only 8"):
        choose_related(queries, prompts, encode, names=names(9), seed=0)


class Vae:
    """Stands for an autoencoder that changes nothing but the number of channels."""

    class config:
        scaling_factor = 1.0

    def decode(self, latents: torch.Tensor) -> Any:
        return type("Decoded", (), {"sample": latents[:, :3]})


def outcome_of(seed: int, *sets: Queries) -> Outcome:
    denoiser = build_denoiser(MODEL, seed=seed, device=CPU)
    sampling = Sampling(sampler="ddim", steps=3, guidance=2.0, clip_x0=None)
    settings = MODEL, Evaluation(timestep_stride=4, seed=0), sampling
    notes: Any = {"about": {"policy": "top", "targets": ["q000"]}, "removed": np.array([3, 1])}
    null_text = np.zeros((5, 6), np.float16)
    return evaluate(denoiser, Vae(), sets, null_text, *settings, **notes, batch=7)


def queries_of(*names: str) -> Queries:
    numbers = [int(name[1:]) for name in names]
    draws = [torch.Generator().manual_seed(number) for number in numbers]
    return Queries(
        list(names),
        [n + 5 for n in numbers],
        torch.stack([torch.randn(4, 4, 4, generator=g) for g in draws]),
        torch.stack([torch.randn(5, 6, generator=g) for g in draws]),
        numbers,
    )


def test_an_outcome_is_the_same_in_sets_and_in_one_batch() -> None:
    apart = outcome_of(0, queries_of("q000"), queries_of("q001", "q002"))
    together = outcome_of(0, queries_of("q000", "q001", "q002"))
    assert apart.queries == together.queries == ["q000", "q001", "q002"]
    np.testing.assert_allclose(apart.losses, together.losses, rtol=1e-4)
    np.testing.assert_allclose(apart.latents, together.latents, atol=1e-4)
    assert apart.losses.shape == (3, 5)  # timesteps 0, 4, …, 16
    assert apart.pictures.dtype == np.uint8
    other = outcome_of(1, queries_of("q000"))
    assert not np.allclose(other.losses[0], apart.losses[0])


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = outcome_of(0, queries_of("q000", "q001"))
    written.save(tmp_path / "outcome.safetensors")
    found = Outcome.load(tmp_path / "outcome.safetensors")
    assert found.about == written.about
    assert found.queries == ["q000", "q001"]
    for name in ("losses", "latents", "pictures", "removed"):
        array = getattr(found, name)
        np.testing.assert_array_equal(array, getattr(written, name))
        assert array.dtype == getattr(written, name).dtype
    one = found.select(["q001"])
    assert one.queries == ["q001"]
    np.testing.assert_array_equal(one.losses, written.losses[1:])
    again = combined([found.select(["q001"]), found.select(["q000"])])
    np.testing.assert_array_equal(again.latents, written.latents[::-1])


@pytest.mark.parametrize("content", [b"", b"{}", b"half"])
def test_a_truncated_outcome_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outcome.safetensors"
    outcome_of(0, queries_of("q000")).save(path)
    path.write_bytes(path.read_bytes()[:-50] if content == b"half" else content)
    with pytest.raises(InputError, match=r"outcome.safetensors: not a complete outcome"):
        Outcome.load(path)
    with pytest.raises(InputError, match="there is no such file"):
        Outcome.load(tmp_path / "none")
