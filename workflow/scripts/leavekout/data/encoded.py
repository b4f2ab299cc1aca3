"""The encoded training set: latents and text states, read where they lie."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.data.table import trained_rows
from leavekout.errors import InputError
from leavekout.runtime.artifacts import load_json, load_npy, load_table

_COPY_ROWS = 1024


@dataclass(frozen=True)
class Samples:
    """B training samples: what to show, at which noise level."""

    positions: Tensor  # [B] int64, place in the stream; keys the noise
    rows: Tensor  # [B] int64, row of the image in data/images.parquet
    flips: Tensor  # [B] int64, 0 or 1
    captions: Tensor  # [B] int64
    timesteps: Tensor  # [B] int64
    drop_caption: Tensor  # [B] bool


class DeviceArray:
    """A big array indexed by row, on the device if it fits there, else memory-mapped."""

    def __init__(
        self, array: np.ndarray, device: torch.device, dtype: torch.dtype, room_bytes: float
    ) -> None:
        self.device, self.dtype = device, dtype
        self.shape = array.shape
        self.array = array
        if device.type == "cuda":  # leave room for the model and its activations
            room_bytes = min(room_bytes, 0.7 * torch.cuda.mem_get_info(device)[0])
        self.tensor = self._copy() if array.nbytes <= room_bytes else None

    def _copy(self) -> Tensor:
        """The whole array on the device, copied in parts so that the host never holds it whole."""
        whole = torch.empty(self.shape, dtype=torch.float16, device=self.device)
        for start in range(0, len(self.array), _COPY_ROWS):
            part = torch.from_numpy(np.array(self.array[start : start + _COPY_ROWS]))
            whole[start : start + _COPY_ROWS] = part.to(self.device)
        return whole

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
        fingerprint: of the arrays' contents; a training's saved state must agree with it.
        held_out: int64, rows that are scored, but are no training images.
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
        self.latents = DeviceArray(latents, device, dtype, room)
        self.text = DeviceArray(text, device, dtype, room - latents.nbytes)
        self.null_text = torch.from_numpy(np.array(null_text)).to(device, dtype)
        self.image_ids = torch.tensor(image_ids, dtype=torch.int64)
        self.device = device
        self.fingerprint = fingerprint
        self.held_out = torch.tensor([] if held_out is None else held_out, dtype=torch.int64)
        self.images, self.flips = latents.shape[:2]
        self.captions = text.shape[1]
        self.latent_shape: tuple[int, ...] = latents.shape[2:]

    @classmethod
    def load(cls, files: Any, **options: Any) -> "EncodedData":
        """Opens the paths `images`, `latents`, `text`, `null_text` and the arrays' checksums."""
        sums = [load_json(files[f"{name}_checksum"]) for name in ("latents", "text")]
        table = load_table(files["images"])
        return cls(
            load_npy(files["latents"], mmap=True),
            load_npy(files["text"], mmap=True),
            load_npy(files["null_text"]),
            table["image_id"].to_numpy(),
            held_out=np.flatnonzero(~trained_rows(table)),
            fingerprint=json.dumps(sums, sort_keys=True),
            **options,
        )

    def batch(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Clean latents x0 [B, 4, h, w] and text states [B, T, E] of training samples."""
        x0 = self.latents[samples.rows, samples.flips]
        text = self.text[samples.rows, samples.captions]
        dropped = samples.drop_caption.to(self.device)[:, None, None]
        return x0, torch.where(dropped, self.null_text, text)


def prefetch(items: Iterable[tuple[Tensor, ...]], device: torch.device) -> Iterator[Any]:
    """On a GPU, makes the next item in a thread and a stream of its own while one is used.

    Neither the host nor the GPU waits for the host's work on an item, or for its copy.
    """
    if device.type != "cuda":
        yield from items
        return
    iterator, stream = iter(items), torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # for the data itself

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
                if tensor.is_cuda:  # its memory is the other stream's; not before we are done
                    tensor.record_stream(current)
            yield item
