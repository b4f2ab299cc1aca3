"""Imports published weights, latents and text states, and checks them against our encoders."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from leavekout.base.artifacts import first_not_finite, load_npy
from leavekout.base.errors import InputError
from leavekout.base.rows import write_rows
from leavekout.base.tensors import load_foreign_tensors
from leavekout.config.model import Model
from leavekout.models.denoiser import require_weights, skeleton

_ROWS_AT_ONCE = 256
_CHECKED_ROWS = 64  # drawn over the whole array
# Ours and theirs differ by the interpolation of pictures and the precision of encoders. Another
# image's latent or another caption's states differ by far more.
_SIMILAR = 0.9
_SCALES = (0.8, 1.25)


def read_weights(path: Path, model: Model) -> dict[str, Tensor]:
    """Reads a denoiser's weights from safetensors or from a PyTorch file of tensors alone.

    Raises:
        InputError: it is neither, or its weights do not fit the model or are not finite.
    """
    tensors = {name: tensor.float() for name, tensor in load_foreign_tensors(path).items()}
    require_weights(tensors, skeleton(model), path)
    return tensors


def import_latents(
    path: Path,
    output: Path,
    encode: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    places: np.ndarray,
    *,
    flips: int,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes `latents.npy`, float16 [N, F, 4, h, w], from an array [F·N, 4, h, w].

    That array has all images first and then all flips, as the paper's published array does.

    Args:
        encode: uint8 [B, H, W, 3] → our latents of the images [B, 4, h, w].
        places: int64 [N], the place of each of our images among all images of that array.
        identity, save_seconds: as in `Rows`.

    Raises:
        InputError: the shape is another, a value is not finite as float16, or rows differ from what
            `encode` returns.
    """
    theirs, images = load_npy(path, mmap=True), len(pixels)
    ours = encode(pixels[:1]).shape[1:]
    needed = (flips * images, *ours)
    if theirs.shape != needed:
        raise InputError(f"{path}: latents of shape {theirs.shape}, but {needed} are needed.")
    rows = _rows_to_check(images)
    for flip in range(flips):
        found = _in_half_precision(theirs, places[rows] + flip * images, path)
        part = pixels[rows][:, :, ::-1] if flip else pixels[rows]
        _require_like(found, encode(part), rows, path)

    def parts(first: int) -> Iterator[np.ndarray]:
        for start in range(first, images, _ROWS_AT_ONCE):
            part = places[start : start + _ROWS_AT_ONCE]
            both = [_in_half_precision(theirs, part + f * images, path) for f in range(flips)]
            yield np.stack(both, 1)

    shape = (images, flips, *ours)
    write_rows(output, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)


def import_text(
    path: Path,
    output: Path,
    encode: Callable[[Sequence[str]], np.ndarray],
    captions: Sequence[Sequence[str]],
    places: np.ndarray,
    of_captions: np.ndarray,
    *,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes `text.npy`, float16 [N, C, T, E], from an array of that shape.

    Args:
        encode: B captions → our states [B, T, E].
        places: int64 [N], the place of each of our images in that array.
        of_captions: int64 [N, C], the place of each of our captions among its image's.
        identity, save_seconds: as in `Rows`.

    Raises:
        InputError: the shape is another, a value is not finite as float16, or rows differ from what
            `encode` returns.
    """
    theirs, images, count = load_npy(path, mmap=True), len(captions), len(captions[0])
    shape = (images, count, *encode([""]).shape[1:])
    if theirs.shape != shape:
        raise InputError(f"{path}: text states of shape {theirs.shape}, but {shape} are needed.")

    def states(rows: np.ndarray) -> np.ndarray:
        """Their states [B, C, T, E] of our rows, each row's captions in our order."""
        found = _in_half_precision(theirs, places[rows], path)
        return found[np.arange(len(rows))[:, None], of_captions[rows]]

    rows = _rows_to_check(images)
    ours = encode([text for row in rows for text in captions[row]])
    _require_like(states(rows).reshape(ours.shape), ours, np.repeat(rows, count), path)

    def parts(first: int) -> Iterator[np.ndarray]:
        for start in range(first, images, _ROWS_AT_ONCE):
            yield states(np.arange(start, min(start + _ROWS_AT_ONCE, images)))

    write_rows(output, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)


def _rows_to_check(images: int) -> np.ndarray:
    """Our rows to compare, ascending; the same in every run."""
    drawn = np.random.default_rng(0).permutation(images)
    return np.sort(drawn[:_CHECKED_ROWS])


def _in_half_precision(theirs: np.ndarray, rows: np.ndarray, path: Path) -> np.ndarray:
    """Some rows as float16; raises InputError if one is not finite."""
    with np.errstate(over="ignore"):  # too large a value becomes infinite, and is refused
        values = np.asarray(theirs[rows]).astype(np.float16)
    if (row := first_not_finite(values)) is not None:
        raise InputError(
            f"{path}: row {rows[row]} has values that are NaN, infinite or too large for "
            "float16; compute it again."
        )
    return values


def _require_like(theirs: Any, ours: np.ndarray, rows: Iterable[int], path: Path) -> None:
    """Rejects rows unlike ours. Rows are compared as vectors relative to the mean of ours."""
    centre = ours.mean(0) if len(ours) > 1 else 0
    for row, a, b in zip(rows, np.asarray(theirs, np.float32), ours, strict=True):
        a, b = (a - centre).ravel(), (b - centre).ravel()
        norms = np.linalg.norm(a), np.linalg.norm(b)
        similarity = float(a @ b / (norms[0] * norms[1]))
        if not similarity > _SIMILAR or not _SCALES[0] < norms[0] / norms[1] < _SCALES[1]:
            raise InputError(
                f"{path}: row {row} is not what the encoders make of that row of "
                f"data/images.parquet (cosine {similarity:.2f}, {norms[0] / norms[1]:.2f} times as "
                "long); the order ('published.order'), the scale or the encoder differs."
            )
