"""The encoded data set: resident where it fits, else streamed."""

from pathlib import Path

import numpy as np
import torch

from leavekout.data.encoded import DeviceArray
from leavekout.runtime.artifacts import save_npy
from world import CPU, make_data


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
