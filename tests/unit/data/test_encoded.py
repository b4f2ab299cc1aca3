"""The encoded data set: memory-mapped, kept on a device that has room, or staged first."""

from pathlib import Path

import numpy as np
import pytest
import torch

from leavekout.base.artifacts import save_npy
from leavekout.base.errors import InputError
from leavekout.data.encoded import DeviceArray, copied_to
from world import CPU, make_data


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    save_npy(tmp_path / "text.npy", make_data().text.array)
    return np.load(tmp_path / "text.npy", mmap_mode="r")


def test_every_kind_of_index_gives_the_file_s_rows(mapped: np.ndarray) -> None:
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


def test_a_gpu_without_room_for_what_it_should_keep_is_refused(
    mapped: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not streamed in silence, and not found out when the model has no memory left."""
    gpu, one = torch.device("cuda"), torch.tensor([0])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (mapped.nbytes, 10**9))
    kept = DeviceArray(mapped, gpu, torch.float32, room_bytes=1e9, name="text states")
    with pytest.raises(InputError, match=r"device_data_gb: .* of text states would be kept on the"):
        kept[(one,)]
