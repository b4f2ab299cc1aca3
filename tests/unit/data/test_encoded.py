"""The encoded data set: memory-mapped, kept on a device that has room, or staged first."""

from pathlib import Path

import numpy as np
import pytest
import torch

from leavekout.base.artifacts import save_npy
from leavekout.base.errors import InputError
from leavekout.data.encoded import DeviceArray, Samples, copied_to
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


def test_a_batch_has_each_sample_s_latent_and_caption_or_none() -> None:
    data, none = make_data(), torch.zeros(3, dtype=torch.int64)
    rows, flips, captions = [1, 4, 4], [0, 1, 0], [2, 0, 1]
    x0, text = data.batch(
        Samples(
            positions=none,
            rows=torch.tensor(rows),
            flips=torch.tensor(flips),
            captions=torch.tensor(captions),
            timesteps=none,
            drop_caption=torch.tensor([False, True, False]),
        )
    )
    np.testing.assert_array_equal(x0, data.latents.array[rows, flips])
    expected = data.text.array[rows, captions].astype(np.float32)
    expected[1] = data.null_text
    np.testing.assert_array_equal(text, expected)


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
