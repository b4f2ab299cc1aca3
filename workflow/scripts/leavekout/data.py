"""The encoded training set: latents and text states, read where they lie."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from leavekout.artifacts import load_npy, load_table
from leavekout.errors import InputError
from leavekout.stream import Samples

T = TypeVar("T")


class DeviceArray:
    """A big array indexed by row, on the device if it fits there, else memory-mapped."""

    def __init__(
        self, array: np.ndarray, device: torch.device, dtype: torch.dtype, room_bytes: float
    ) -> None:
        self.device, self.dtype = device, dtype
        self.shape = array.shape
        self.array = array
        self.resident = array.nbytes <= room_bytes
        self.tensor = torch.from_numpy(np.array(array)).to(device) if self.resident else None

    def __getitem__(self, index: tuple[Tensor, ...]) -> Tensor:
        """Rows at int64 index tensors, on the device, in `dtype`."""
        if self.tensor is not None:
            return self.tensor[tuple(i.to(self.device) for i in index)].to(self.dtype)
        rows = torch.from_numpy(self.array[tuple(i.numpy() for i in index)])
        if self.device.type == "cuda":
            rows = rows.pin_memory()
        return rows.to(self.device, non_blocking=True).to(self.dtype)


class EncodedData:
    """Latents [N, F, 4, h, w] and text states [N, C, T, E] of the training set.

    Args:
        latents, text: the arrays, memory-mapped.
        null_text: [T, E], the text states of the empty caption.
        image_ids: int64 [N], the ids that key each image's noise.
        device: where batches go.
        room_gb: what fits on the device; an array beyond it is streamed.
    """

    def __init__(
        self,
        latents: np.ndarray,
        text: np.ndarray,
        null_text: np.ndarray,
        image_ids: np.ndarray,
        *,
        device: torch.device,
        room_gb: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        n = len(image_ids)
        if latents.ndim != 5 or len(latents) != n:
            raise InputError(f"data/latents.npy: {latents.shape} does not hold {n:,} images.")
        if text.ndim != 4 or len(text) != n or text.shape[2:] != null_text.shape:
            raise InputError(f"data/text.npy: {text.shape} does not hold {n:,} images' captions.")
        room = room_gb * 1e9
        self.latents = DeviceArray(latents, device, dtype, room)
        self.text = DeviceArray(text, device, dtype, room - latents.nbytes)
        self.null_text = torch.from_numpy(np.array(null_text)).to(device, dtype)
        self.image_ids = torch.tensor(image_ids, dtype=torch.int64)
        self.device = device
        self.images, self.flips = latents.shape[:2]
        self.captions = text.shape[1]
        self.latent_shape: tuple[int, ...] = latents.shape[2:]

    @classmethod
    def load(cls, files: Mapping[str, str], **options: Any) -> "EncodedData":
        """Opens the files `images`, `latents`, `text` and `null_text`; see the constructor."""
        return cls(
            load_npy(Path(files["latents"]), mmap=True),
            load_npy(Path(files["text"]), mmap=True),
            load_npy(Path(files["null_text"])),
            load_table(Path(files["images"]))["image_id"].to_numpy(),
            **options,
        )

    def batch(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Clean latents x0 [B, 4, h, w] and text states [B, T, E] of training samples."""
        x0 = self.latents[samples.rows, samples.flips]
        text = self.text[samples.rows, samples.captions]
        dropped = samples.drop_caption.to(self.device)[:, None, None]
        return x0, torch.where(dropped, self.null_text, text)


def prefetch(items: Iterable[T], device: torch.device) -> Iterator[T]:
    """On a GPU, makes the next item in a thread while the current one is used."""
    if device.type != "cuda":
        yield from items
        return
    iterator = iter(items)
    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(next, iterator, None)
        while (item := ahead.result()) is not None:
            ahead = executor.submit(next, iterator, None)
            yield item
