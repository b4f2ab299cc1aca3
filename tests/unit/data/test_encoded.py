"""The encoded data set: memory-mapped, kept on a device that has room, or staged first."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from leavekout.base.artifacts import save_npy
from leavekout.base.errors import InputError
from leavekout.data import encoded
from leavekout.data.encoded import DeviceArray, copied_to
from world import CPU, make_data


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    save_npy(tmp_path / "text.npy", make_data().text.array)
    return np.load(tmp_path / "text.npy", mmap_mode="r")


def test_rows_are_those_of_the_file_for_every_kind_of_index(mapped: np.ndarray) -> None:
    rows = DeviceArray(mapped, CPU, torch.float32, room_bytes=1e9, name="text")
    assert not rows.resident  # which only a GPU's is; the page cache serves a CPU
    one, other = torch.tensor([3, 0, 3]), torch.tensor([2, 1, 0])
    for index, expected in (
        ((one,), mapped[[3, 0, 3]]),
        ((one, other), mapped[[3, 0, 3], [2, 1, 0]]),
        ((one[:, None], other[None]), mapped[[[3], [0], [3]], [[2, 1, 0]]]),
    ):
        assert torch.equal(rows[index], torch.from_numpy(expected).float())


@pytest.mark.parametrize("piece_bytes", [1, 200, 1 << 28])
def test_a_copy_in_pieces_is_whole(mapped: np.ndarray, piece_bytes: int) -> None:
    whole = torch.from_numpy(np.array(mapped))
    assert torch.equal(copied_to(whole, CPU, piece_bytes=piece_bytes), whole)


def test_a_gpu_without_room_for_what_it_should_keep_is_said(
    mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not streamed in silence, and not found out when the model has no memory left."""
    gpu, one = torch.device("cuda"), torch.tensor([0])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (mapped.nbytes, 10**9))
    kept = DeviceArray(mapped, gpu, torch.float32, room_bytes=1e9, name="text states")
    with pytest.raises(InputError, match=r"device_data_gb: .* of text states would be kept on the"):
        kept[(one,)]


def test_data_is_fetched_ahead_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU the prefetch makes the next eight steps while eight are computed."""
    from leavekout.training import training
    from leavekout.training.stream import Stream
    from world import TRAINING

    asked: list[int] = []
    data = make_data()
    fetch: Callable[..., tuple[torch.Tensor, ...]] = data.batch

    def counted(samples: encoded.Samples) -> tuple[torch.Tensor, ...]:
        asked.append(len(samples.rows))
        return fetch(samples)

    monkeypatch.setattr(data, "batch", counted)
    monkeypatch.setattr(training, "_steps_at_once", lambda device: 8)
    stream = Stream(
        images=12,
        flips=2,
        captions=3,
        timesteps=20,
        caption_dropout=0.0,
        removed=torch.empty(0, dtype=torch.int64),
        seed=0,
        domain=training.Domain.TRAINING,
    )
    batches = training.training_batches(data, stream, TRAINING, 0, 20)
    assert len(list(batches)) == 20
    assert asked == [64, 64, 32]
