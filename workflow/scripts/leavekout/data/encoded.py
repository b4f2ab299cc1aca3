"""The encoded training set: latents and text states, memory-mapped or on a GPU."""

import json
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_json, load_npy, load_table
from leavekout.base.errors import InputError
from leavekout.data.staging import staged
from leavekout.data.table import trained_rows

_SHARE = 0.7  # of a GPU's free memory that data may take; the model needs the rest
_READERS = 4


@dataclass(frozen=True)
class Samples:
    """B training samples: images, captions and noise levels."""

    positions: Tensor  # [B] int64, position in the stream; keys the noise
    rows: Tensor  # [B] int64, row of the image in data/images.parquet
    flips: Tensor  # [B] int64, 0 or 1
    captions: Tensor  # [B] int64
    timesteps: Tensor  # [B] int64
    drop_caption: Tensor  # [B] bool


class DeviceArray:
    """A big array indexed by its first dimensions: memory-mapped, or kept on a GPU if it fits.

    All jobs of a node share a memory-mapped array through the page cache.

    Args:
        array: memory-mapped; dtype: the type of returned values.
        room_bytes: GPU memory for the array; a larger array is streamed.
        name: the array's name in messages.
    """

    def __init__(
        self,
        array: np.ndarray,
        device: torch.device,
        dtype: torch.dtype,
        room_bytes: float,
        name: str,
    ) -> None:
        self.device, self.dtype, self.name = device, dtype, name
        self.shape: tuple[int, ...] = array.shape
        self.array = array
        self.resident = device.type == "cuda" and array.nbytes <= room_bytes
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable.*")  # it is only read
            self.tensor = torch.from_numpy(np.ascontiguousarray(array))

    @cached_property
    def _data(self) -> Tensor:
        """The tensor that rows are taken from, copied to the GPU at first use if it is resident."""
        if not self.resident:
            return self.tensor
        free = torch.cuda.mem_get_info(self.device)[0]
        if self.array.nbytes > _SHARE * free:
            raise InputError(
                f"hardware.device_data_gb: {self.array.nbytes / 1e9:.1f} GB of {self.name} would "
                f"be kept on the GPU, which has {free / 1e9:.1f} GB free, and the model needs some "
                f"of that; set it to {_SHARE * free / 1e9:.0f} or less to stream the data."
            )
        return copied_to(self.tensor, self.device)

    def __getitem__(self, index: tuple[Tensor, ...]) -> Tensor:
        """Rows at int64 index tensors, which are broadcast, on the device, in `dtype`."""
        data, first = self._data, self.shape[: len(index)]
        row = torch.zeros((), dtype=torch.int64)
        for size, part in zip(first, index, strict=True):
            row = row * size + part
        rows = data.flatten(0, len(index) - 1) if len(index) > 1 else data
        flat = row.flatten()
        if self.resident:
            taken = rows.index_select(0, flat.to(self.device))
        else:
            # From pinned memory a GPU copies without blocking the host.
            shape, pinned = (len(flat), *rows.shape[1:]), self.device.type == "cuda"
            out = torch.empty(shape, dtype=data.dtype, pin_memory=pinned)
            torch.index_select(rows, 0, flat, out=out)
            taken = out.to(self.device, non_blocking=True)
        return taken.to(self.dtype).unflatten(0, row.shape) if row.shape else taken.to(self.dtype)


def copied_to(tensor: Tensor, device: torch.device, *, piece_bytes: int = 1 << 28) -> Tensor:
    """Copies a memory-mapped tensor to a device by several threads, through pinned memory."""
    whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    rows = max(1, piece_bytes // max(1, tensor[0].nbytes))
    buffers = threading.local()

    def copy(start: int) -> None:
        part = tensor[start : start + rows]
        if not hasattr(buffers, "pinned"):
            shape = (rows, *tensor.shape[1:])
            pinned = device.type == "cuda"
            buffers.pinned = torch.empty(shape, dtype=tensor.dtype, pin_memory=pinned)
        buffer = buffers.pinned[: len(part)]
        buffer.copy_(part)
        whole[start : start + rows].copy_(buffer)  # blocks until it is done

    with ThreadPoolExecutor(_READERS) as executor:
        list(executor.map(copy, range(0, len(tensor), rows)))
    return whole


class EncodedData:
    """Latents [N, F, 4, h, w] and text states [N, C, T, E] of the training set.

    Args:
        latents, text: memory-mapped arrays.
        null_text: [T, E], the text states of the empty caption.
        image_ids: int64 [N], the ids that key each image's noise.
        device: the device of batches.
        room_gb: memory for arrays on a GPU; an array that does not fit is streamed.
        fingerprint: of the arrays' contents. A training resumes only with the same fingerprint.
        held_out: int64, rows that are scored, but are not training images.
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
        fingerprint: str = "",
        held_out: np.ndarray | None = None,
    ) -> None:
        n = len(image_ids)
        if latents.ndim != 5 or len(latents) != n:
            raise InputError(f"data/latents.npy: {latents.shape} does not hold {n:,} images.")
        if text.ndim != 4 or len(text) != n or text.shape[2:] != null_text.shape:
            raise InputError(f"data/text.npy: {text.shape} does not hold {n:,} images' captions.")
        room = room_gb * 1e9
        self.latents = DeviceArray(latents, device, dtype, room, "latents")
        self.text = DeviceArray(text, device, dtype, room - latents.nbytes, "text states")
        self.null_text = torch.from_numpy(np.array(null_text)).to(device, dtype)
        self.image_ids = torch.tensor(image_ids, dtype=torch.int64)
        self.device = device
        self.fingerprint = fingerprint
        self.held_out = torch.tensor([] if held_out is None else held_out, dtype=torch.int64)
        self.images, self.flips = latents.shape[:2]
        self.captions = text.shape[1]
        self.latent_shape: tuple[int, ...] = latents.shape[2:]

    @classmethod
    def load(cls, files: Any, device: torch.device, resources: Any) -> "EncodedData":
        """Opens the paths `images`, `latents`, `text`, `null_text` and the arrays' checksums.

        If LEAVEKOUT_STAGE_TO names a folder, latents and text are first copied there (see
        `staged`).

        Args:
            resources: its `device_data_gb` is the memory for arrays on a GPU.
        """
        sums = [load_json(files[f"{name}_checksum"]) for name in ("latents", "text")]
        table = load_table(files["images"])
        folder = os.environ.get("LEAVEKOUT_STAGE_TO", "")
        latents, text = (
            load_npy(staged(path, checksum[path.name], folder), mmap=True)
            for path, checksum in zip((files["latents"], files["text"]), sums, strict=True)
        )
        return cls(
            latents,
            text,
            load_npy(files["null_text"]),
            table["image_id"].to_numpy(),
            held_out=np.flatnonzero(~trained_rows(table)),
            fingerprint=json.dumps(sums, sort_keys=True),
            device=device,
            room_gb=resources.device_data_gb,
        )

    def batch(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Clean latents x0 [B, 4, h, w] and text states [B, T, E] of training samples."""
        x0 = self.latents[samples.rows, samples.flips]
        text = self.text[samples.rows, samples.captions]
        dropped = samples.drop_caption.to(self.device)[:, None, None]
        return x0, torch.where(dropped, self.null_text, text)


def prefetch(items: Iterable[tuple[Tensor, ...]], device: torch.device) -> Iterator[Any]:
    """On a GPU, makes the next item in its own thread and stream while the current one is used.

    So neither the host nor the GPU waits for an item or its copy.
    """
    if device.type != "cuda":
        yield from items
        return
    iterator, stream = iter(items), torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # until the data is on the GPU

    def make() -> tuple[tuple[Tensor, ...] | None, torch.Event]:
        with torch.cuda.stream(stream):
            item = next(iterator, None)
            return item, stream.record_event()

    with ThreadPoolExecutor(1) as executor:
        ahead = executor.submit(make)
        while True:
            item, is_made = ahead.result()
            if item is None:
                return
            ahead = executor.submit(make)
            current = torch.cuda.current_stream(device)
            current.wait_event(is_made)
            for tensor in item:
                if tensor.is_cuda:  # so that `stream` does not reuse its memory too early
                    tensor.record_stream(current)
            yield item
