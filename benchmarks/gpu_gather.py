"""A piece of `gpu_check.py`: how fast samples of encoded data come to the device."""

import os
import time
from pathlib import Path

import numpy as np
import torch
from measuring import wait

from leavekout.base.artifacts import create_npy
from leavekout.data.encoded import DeviceArray, copied_to

BATCH = 1024


def gather_rates(device: torch.device, folder: Path, gigabytes: float) -> dict[str, float]:
    """Samples a second of text states of COCO's size, from a file of so many gigabytes.

    From the page cache, from the disk (where the system lets go of the page cache), and what a copy
    of the whole to the device reaches, in gigabytes a second.
    """
    rows = max(BATCH, int(gigabytes * 1e9 / (77 * 1024 * 2)))
    path = folder / "text.npy"
    array = create_npy(path, np.float16, (rows, 1, 77, 1024))
    array[:] = 1
    array.flush()
    del array
    drawn = torch.Generator().manual_seed(0)

    def opened() -> DeviceArray:
        array = np.load(path, mmap_mode="r")
        return DeviceArray(array, device, torch.float16, room_bytes=0, name="text")

    def rate(data: DeviceArray) -> float:
        index = torch.randint(rows, (BATCH,), generator=drawn)
        began = time.perf_counter()
        data[index, torch.zeros_like(index)]
        wait(device)
        return BATCH / (time.perf_counter() - began)

    data = opened()
    warm = max(rate(data) for _ in range(6))
    whole = torch.from_numpy(np.load(path, mmap_mode="c"))
    began = time.perf_counter()
    copied_to(whole, device)
    wait(device)
    gb_per_second = whole.nbytes / 1e9 / (time.perf_counter() - began)
    del data, whole
    data = opened()
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return {"page cache": warm, "disk": rate(data), "copy, GB a second": gb_per_second}
