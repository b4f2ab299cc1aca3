"""The encoded data set: memory-mapped, kept on a device that has room, or staged first."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leavekout.base.artifacts import save_npy
from leavekout.base.errors import InputError
from leavekout.data import staging
from leavekout.data.encoded import DeviceArray, Samples, copied_to
from trainings import same, trained
from world import CPU, make_data


@pytest.fixture
def mapped(tmp_path: Path) -> np.memmap:
    save_npy(tmp_path / "text.npy", make_data().text.array)
    return np.load(tmp_path / "text.npy", mmap_mode="r")


ROWS = 12
ONE, OTHER = torch.tensor([3, 0, 11, 3]), torch.tensor([2, 1, 2, 0])


@pytest.mark.parametrize("kept", [0, 1, 4, ROWS - 1, ROWS])
def test_every_kind_of_index_gives_the_file_s_rows(mapped: np.ndarray, kept: int) -> None:
    """Whatever part of them is kept on the device, here the CPU; the first read is streamed."""
    room = (kept + 0.5) * mapped[0].nbytes
    rows = DeviceArray(mapped, CPU, torch.float32, room_bytes=room, name="text")
    for prepare in (lambda: None, rows.keep):
        prepare()
        for index, expected in (
            ((ONE,), mapped[[3, 0, 11, 3]]),
            ((ONE, OTHER), mapped[[3, 0, 11, 3], [2, 1, 2, 0]]),
            ((ONE[:, None], OTHER[None, :2]), mapped[[[3], [0], [11], [3]], [[2, 1]]]),
        ):
            assert torch.equal(rows[index], torch.from_numpy(expected).float())
    assert rows.rows_to_keep == kept


def test_a_training_does_not_depend_on_what_is_kept(
    mapped: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All streamed, a part kept, all kept: the same bits."""
    weights = []
    for kept in (0, 5, ROWS):
        data, taken = make_data(), list[int]()
        room = kept * mapped[0].nbytes
        data.text = DeviceArray(mapped, CPU, torch.float32, room_bytes=room, name="text")
        streamed = data.text._streamed

        def counted(rows: Any, flat: Any, taken: Any = taken, streamed: Any = streamed) -> Any:
            taken.append(len(flat))
            return streamed(rows, flat)

        monkeypatch.setattr(data.text, "_streamed", counted)
        weights.append(trained(tmp_path / f"{kept}.safetensors", data=data))
        assert (sum(taken) > 0) == (kept < ROWS)
    assert same(weights[0], weights[1])
    assert same(weights[0], weights[2])


def test_what_is_not_kept_is_read_once_from_start_to_end(
    mapped: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a node's page cache has it: every byte after the rows that are kept, once."""
    read, pread = [], os.pread

    def counted(file: int, size: int, place: int) -> bytes:
        found = pread(file, size, place)
        read.append((place, len(found)))
        return found

    monkeypatch.setattr(staging, "_PIECE", 1000)
    monkeypatch.setattr(os, "pread", counted)
    rows = DeviceArray(mapped, CPU, torch.float32, room_bytes=3 * mapped[0].nbytes, name="text")
    rows[(ONE,)]
    assert read == []  # rows in order need none of this
    rows.keep()
    rows.keep()
    end = Path(str(mapped.filename)).stat().st_size
    read.sort()
    assert read[0][0] == end - mapped[3:].nbytes
    places = [place for place, _ in read] + [end]
    assert [place + size for place, size in read] == places[1:]


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
    gpu, gb = torch.device("cuda"), 10**9
    kept = DeviceArray(mapped, gpu, torch.float32, room_bytes=1e9, name="text states")
    for free, total in ((gb, mapped.nbytes), (mapped.nbytes, gb)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, of=(free, total): of)
        with pytest.raises(InputError, match=r"device_data_gb: .* of text states would be kept on"):
            kept.keep()
