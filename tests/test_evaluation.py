"""The measures of a model, and the queries that they are taken on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import CPU, make_data
from leavekout.data.encoded import DeviceArray
from leavekout.errors import InputError
from leavekout.measures.evaluation import loss_change, mean_squared_error, measures, split_pictures
from leavekout.queries.queries import Queries, choose_related
from leavekout.runtime.artifacts import save_npy, save_table
from leavekout.statistics.forgetting import forgetting_table


def embed(images: np.ndarray) -> torch.Tensor:
    """Stands for CLIP: unit vectors that depend on the picture."""
    flat = torch.from_numpy(images.reshape(len(images), -1)).float()
    return torch.nn.functional.normalize(flat, dim=1)


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)


def test_the_source_model_itself_changes_nothing(pictures: np.ndarray) -> None:
    losses = np.random.default_rng(1).random((2, 7))
    rows = measures(
        ["q000", "q001"], losses=losses, source_losses=losses, generated=pictures,
        regenerated=pictures, clip=embed,
    )  # fmt: skip
    for row in rows:
        assert row["delta_loss"] == 0
        assert row["mse"] == 0
        assert row["clip"] == pytest.approx(1)


def test_measures_belong_to_their_query(pictures: np.ndarray) -> None:
    before, after = np.zeros((2, 3)), np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
    changed = np.stack([pictures[0], 255 - pictures[1]])
    first, second = measures(
        ["q000", "q001"], losses=after, source_losses=before, generated=pictures,
        regenerated=changed, clip=embed,
    )  # fmt: skip
    assert (first["query"], first["delta_loss"], first["mse"]) == ("q000", 2.0, 0.0)
    assert (second["query"], second["delta_loss"]) == ("q001", 4.0)
    a, b = pictures[1] / 255.0, 1 - pictures[1] / 255.0
    assert second["mse"] == pytest.approx(((a - b) ** 2).mean())
    cosine = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert second["clip"] == pytest.approx(cosine, abs=1e-5)


def test_mse_is_in_the_unit_range() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert mean_squared_error(black, white) == 1.0


def test_loss_change_is_the_difference_of_the_means() -> None:
    assert loss_change(np.array([1.0, 3.0]), np.array([0.5, 0.5])) == 1.5


def test_pictures_stored_side_by_side_come_apart_again(pictures: np.ndarray) -> None:
    apart = split_pictures(np.concatenate(pictures, axis=1), 2)
    assert np.array_equal(np.stack(apart), pictures)


def test_queries_are_read_by_name(tmp_path: Path) -> None:
    names = ["q000", "q001", "t000"]
    table = pd.DataFrame({"query": names, "prompt": ["a", "b", "c"], "noise_seed": [7, 8, 9]})
    save_table(tmp_path / "queries.parquet", table)
    latents = np.arange(3 * 4, dtype=np.float32).reshape(3, 4, 1, 1)
    save_npy(tmp_path / "latents.npy", latents)
    save_npy(tmp_path / "text.npy", latents.reshape(3, 2, 2))
    files = {name: str(tmp_path / f"{name}.npy") for name in ("latents", "text")}
    files["queries"] = str(tmp_path / "queries.parquet")
    found = Queries.load(files, ["t000", "q001"], CPU)
    assert (found.noise_seeds, found.rows) == ([9, 8], [2, 1])
    assert torch.equal(found.latents, torch.from_numpy(latents[[2, 1]]))


def test_an_array_that_does_not_fit_is_streamed_from_its_file(tmp_path: Path) -> None:
    array = make_data().text.array
    save_npy(tmp_path / "text.npy", array)
    mapped = np.load(tmp_path / "text.npy", mmap_mode="r")
    index = torch.tensor([3, 0, 3]), torch.tensor([2, 1, 0])
    streamed = DeviceArray(mapped, CPU, torch.float32, room_bytes=0)
    resident = DeviceArray(mapped, CPU, torch.float32, room_bytes=1e9)
    assert streamed.tensor is None
    assert resident.tensor is not None
    assert torch.equal(streamed[index], resident[index])
    assert torch.equal(streamed[index], torch.from_numpy(array[[3, 0, 3], [2, 1, 0]]).float())


def test_related_prompts_are_the_nearest_that_are_no_querys() -> None:
    queries = pd.DataFrame({"prompt": ["a0", "a2"]}, index=["q000", "q001"])
    prompts = [f"a{i}" for i in range(10)]

    def encode(texts: Sequence[str]) -> np.ndarray:
        """On a circle, so that nearness is that of the numbers."""
        angle = np.array([int(text[1:]) for text in texts]) * 0.1
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    table = choose_related(queries, prompts, encode, related=2, seed=0)
    assert table["query"].tolist() == ["q000-r00", "q000-r01", "q001-r00", "q001-r01"]
    assert table["prompt"].tolist() == ["a1", "a3", "a1", "a3"]
    assert table["noise_seed"].nunique() == 4
    with pytest.raises(InputError, match="9 related prompts of each query are more than the 8"):
        choose_related(queries, prompts, encode, related=9, seed=0)


def test_forgetting_is_told_apart_by_kind_of_prompt() -> None:
    def measured(**values: float) -> dict[str, Any]:
        rows = [
            {"query": name.replace("_", "-"), "delta_loss": v, "mse": 2 * v, "clip": 1 - v}
            for name, v in values.items()
        ]
        return {"queries": rows}

    cases = [
        ("q000", measured(q000=5.0, q001=1.0, q002=3.0)),
        ("q000", measured(q000_r00=2.0, q000_r01=4.0)),
        ("q001", measured(q000=2.0, q001=7.0, q002=4.0)),
        ("q001", measured(q001_r00=1.0, q001_r01=1.0)),
    ]
    table = forgetting_table(
        {"method": "m", "query": query, "model": "k5", "measured": m} for query, m in cases
    ).set_index("prompts")
    assert table["delta_loss"].to_dict() == {"target": 6.0, "related": 2.0, "other": 2.5}
    assert table["delta_loss_se"]["other"] == pytest.approx(0.5)
    assert table["n_queries"].tolist() == [2, 2, 2]
    assert table["clip"]["target"] == pytest.approx(-5.0)
