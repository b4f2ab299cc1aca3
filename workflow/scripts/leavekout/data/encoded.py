"""The encoded training set: latents and text states, memory-mapped, and in part on a GPU."""

import json
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.base.artifacts import load_json, load_npy, load_table
from leavekout.base.errors import InputError
from leavekout.data.staging import read_through, staged
from leavekout.data.table import trained_rows

# Shares of a GPU's memory, and of what is free, that data may take. The model needs the rest; when
# data is read, a training has taken most of what it needs.
_SHARE, _FREE_SHARE = 0.7, 0.9
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
    """A big memory-mapped array, indexed by its first dimensions.

    Rows come from the file through the node's page cache, which all its jobs share. Where rows are
    needed in random order, `keep` puts the first of them on the GPU.

    Args:
        array: memory-mapped; dtype: the type of returned values.
        room_bytes: memory on the device for `keep`.
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
        self.rows_to_keep = min(len(array), int(max(0.0, room_bytes) // array[:1].nbytes))
        self._kept: Tensor | None = None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*not writable.*")  # it is only read
            self.tensor = torch.from_numpy(np.ascontiguousarray(array))

    def keep(self) -> None:
        """Prepares for rows in random order, once: some are kept on the device, others in memory.

        The first rows are copied to the device, as many as there is room for. The others are read
        once from start to end, so that they are in the node's page cache.

        Raises:
            InputError: the GPU has not enough memory.
        """
        if self._kept is None:
            first = self.tensor[: self.rows_to_keep]
            if self.device.type == "cuda":
                self._require_memory(first.nbytes)
            self._kept = copied_to(first, self.device)
            read_through(self.array, self.rows_to_keep)

    def _require_memory(self, kept: int) -> None:
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info(self.device)
        most = min(_SHARE * total, _FREE_SHARE * free)
        if kept > most:
            raise InputError(
                f"hardware.device_data_gb: {kept / 1e9:.1f} GB of {self.name} would be kept on the "
                f"GPU, which has {free / 1e9:.1f} of {total / 1e9:.0f} GB free, and the model "
                f"needs some of that; set it to {most / 1e9:.0f} or less to stream more of it."
            )

    def __getitem__(self, index: tuple[Tensor, ...]) -> Tensor:
        """Rows at int64 index tensors, which are broadcast, on the device, in `dtype`."""
        first = self.shape[: len(index)]
        row = torch.zeros((), dtype=torch.int64)
        for size, part in zip(first, index, strict=True):
            row = row * size + part
        taken = self._taken(row.flatten(), first).to(self.dtype)
        return taken.unflatten(0, row.shape) if row.shape else taken

    def _taken(self, flat: Tensor, first: tuple[int, ...]) -> Tensor:
        """Rows [R, …] of the array with its first dimensions flattened, on the device."""
        rows = self.tensor.reshape(-1, *self.shape[len(first) :])
        if self._kept is None:
            return self._streamed(rows, flat)
        kept = self._kept.reshape(-1, *rows.shape[1:])
        is_kept = flat < len(kept)
        if not is_kept.any():
            return self._streamed(rows, flat)
        taken = kept.index_select(0, flat[is_kept].to(self.device))
        if is_kept.all():
            return taken
        both = torch.cat([taken, self._streamed(rows, flat[~is_kept])])
        # Kept rows come first in `both`; a row's place in it is the inverse of that order.
        place = torch.argsort(torch.argsort(~is_kept, stable=True))
        return both.index_select(0, place.to(self.device))

    def _streamed(self, rows: Tensor, flat: Tensor) -> Tensor:
        """Rows from the host. From pinned memory a GPU copies without blocking the host."""
        shape, pinned = (len(flat), *rows.shape[1:]), self.device.type == "cuda"
        out = torch.empty(shape, dtype=rows.dtype, pin_memory=pinned)
        torch.index_select(rows, 0, flat, out=out)
        return out.to(self.device, non_blocking=True)


def copied_to(tensor: Tensor, device: torch.device, *, piece_bytes: int = 1 << 28) -> Tensor:
    """Copies a memory-mapped tensor to a device by several threads, through pinned memory."""
    whole = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    rows = max(1, piece_bytes // max(1, tensor[:1].nbytes))
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
        room_gb: memory for arrays on a GPU; rows that do not fit are streamed.
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
        room = room_gb * 1e9 if device.type == "cuda" else 0.0
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
        """Clean latents x0 [B, 4, h, w] and text states [B, T, E] of training samples.

        They come in random order, so the first call reads all data and keeps on a GPU what fits.
        """
        for array in (self.latents, self.text):
            array.keep()
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
