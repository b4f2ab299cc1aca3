"""Reads and writes artifacts. A file is complete or absent, and states how it was made."""

import ctypes
import errno
import hashlib
import json
import lzma
import os
import platform
import shutil
import struct
import subprocess
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors import SafetensorError

from leavekout.base.errors import InputError

_PIECE = 1 << 24  # bytes
# What readers raise for files that are damaged, or written by other programs.
_NPY_ERRORS = (
    ValueError, EOFError, SyntaxError, TokenError, TypeError, MemoryError, OverflowError,
)  # fmt: skip
_TABLE_ERRORS = (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError)
_JSON_ERRORS = (ValueError, RecursionError)
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError,
    RuntimeError,  # encrypted, or compressed as Python cannot: Deflate64
)  # fmt: skip
_ROWS = 64  # of a large array, at once
_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy")


def temporary_beside(path: Path) -> Path:
    """A unique name beside `path` that holds host and process, for `remove_leftovers`."""
    owner = f"{platform.node()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"
    return path.with_name(f".{owner}~{path.name}")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """As `atomic`, for a folder: yields a new temporary folder and replaces `path` with it."""
    temporary, old = temporary_beside(path), temporary_beside(path)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        with suppress(FileNotFoundError):
            path.rename(old)  # deleted under this name, so that a kill leaves no half of it
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():  # else another job has just made the same folder
                raise
    finally:
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path` and renames it to `path` on success.

    The name is unique, so two jobs may write the same artifact at once. A reader sees one of them,
    complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors makes files that only their owner can read
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:  # safetensors hides the OSError of a full disk
        reason = getattr(error, "strerror", None) or str(error)
        if "requested and" in reason:  # NumPy's message when the disk is full
            reason = f"the disk is full: {reason}"
        raise InputError(f"{path}: cannot be written ({reason}).") from error
    finally:
        temporary.unlink(missing_ok=True)


_job_provenance: dict[str, str] = {}


def set_device(name: str) -> None:
    """Sets the device that the artifacts of this process record."""
    _job_provenance["device"] = name


def set_params(params: Mapping[str, Any]) -> None:
    """Sets the job's parameters, whose digest the artifacts of this process record."""
    text = json.dumps(params, sort_keys=True, default=str)
    _job_provenance["params_sha256"] = hashlib.sha256(text.encode()).hexdigest()[:16]


def provenance() -> dict[str, str]:
    """Commit of the workflow, versions of the libraries, device, and digest of the parameters.

    The parameters themselves, seeds included, are in the job's log.
    """
    return {**_software(), **_job_provenance}


def commit_of(folder: Path) -> str:
    """The commit of the checkout around a folder, with `-dirty` if its files were changed.

    Changed files in `results` do not count: they are published results, not code.
    """
    git = ["git", "-C", str(folder)]
    changed = [*git, "diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)results"]
    try:
        describe = [*git, "describe", "--always", "--abbrev=12"]
        name = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(changed, capture_output=True, check=False).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
    return f"{name}-dirty" if dirty else name


@cache
def _software() -> Mapping[str, str]:
    commit = commit_of(Path(__file__).parent)
    return {"commit": commit} | {name: version(name) for name in _LIBRARIES}


def save_npy(path: Path, array: np.ndarray) -> None:
    """Writes one array."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def create_npy(path: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    """Creates a memory-mapped array of zeros, and reserves its space on the disk.

    Without the reservation, a full disk would kill the process while it writes to the array.
    """
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with open(path, "r+b") as file:
        _reserve(file, array.offset, path.stat().st_size)
    return array


def _reserve(file: BinaryIO, start: int, size: int) -> None:
    """Reserves a file's bytes from `start` on, which are all zeros.

    `os.posix_fallocate` is too slow where a file system cannot reserve (NFS, some Lustre): the C
    library then touches each block, 23 million writes for COCO's text states. We write zeros in
    large pieces.
    """
    reserve = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)  # Linux alone has it
    if reserve is not None:
        offsets = ctypes.c_int64(start), ctypes.c_int64(size - start)
        if size == start or reserve(file.fileno(), 0, *offsets) == 0:
            return
        if (number := ctypes.get_errno()) not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number), str(file.name))
    file.seek(start)
    zeros = bytes(_PIECE)
    for offset in range(start, size, _PIECE):
        file.write(zeros[: size - offset])


@contextmanager
def reading(
    path: Path, kind: str, *errors: type[Exception], advice: str = "delete it and make it again"
) -> Iterator[None]:
    """Raises InputError if the file that is read within the block is missing or broken.

    Args:
        kind: what the file should be.
        errors: what the reader raises for a broken file, besides OSError.
        advice: what to do with a broken file.
    """
    broken: tuple[type[Exception], ...] = (*errors, OSError)
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except broken as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(f"{path}: not a complete {kind} ({reason}); {advice}.") from error


def load_npy(path: Path, *, mmap: bool = False) -> np.ndarray:
    """Reads one array; raises InputError if it is missing, truncated or not plain numbers."""
    with reading(path, "npy array", *_NPY_ERRORS):
        with open(path, "rb") as file:
            start = file.read(len(np.lib.format.MAGIC_PREFIX))
        if start.startswith(b"PK"):
            raise ValueError("it is a zip archive, as np.savez and torch.save write; use np.save")
        if start != np.lib.format.MAGIC_PREFIX:
            raise ValueError("it does not begin as np.save writes it")
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)


def first_not_finite(array: np.ndarray) -> int | None:
    """The first row with a value that is NaN or infinite; None if all are finite."""
    for start in range(0, len(array), _ROWS):
        finite = np.isfinite(array[start : start + _ROWS])
        if not finite.all():
            return start + int(np.flatnonzero(~finite.reshape(len(finite), -1).all(1))[0])
    return None


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as parquet, with provenance in its metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **provenance()})
    with atomic(path) as temporary:
        pq.write_table(arrow, temporary)


def save_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table for people and spreadsheets."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def load_csv(path: Path) -> pd.DataFrame:
    """Reads a table that `save_csv` wrote; raises InputError if it is missing or broken."""
    with reading(path, "table", *_TABLE_ERRORS):
        return pd.read_csv(path)


def load_table(path: Path) -> pd.DataFrame:
    """Reads a parquet table; raises InputError if it is missing or truncated."""
    with reading(path, "parquet file", *_TABLE_ERRORS):
        return pd.read_parquet(path)


def load_texts(path: Path) -> pd.DataFrame:
    """Reads a table that others wrote, by its ending .csv (with commas), .jsonl or .parquet.

    In a CSV all cells are texts. Raises InputError if it is missing or broken, or in UTF-16.
    """
    if path.suffix == ".parquet":
        return load_table(path)
    advice = "save it as UTF-8, with a heading and a caption in each line"
    with reading(path, "table", *_TABLE_ERRORS, *_JSON_ERRORS, TypeError, advice=advice):
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        text = path.read_text(encoding="utf-8-sig")
        return pd.DataFrame([json.loads(line) for line in text.split("\n") if line.strip()])


def save_image(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8 [H, W, 3] as PNG, with provenance in its text fields."""
    notes = PngInfo()
    for name, value in provenance().items():
        notes.add_text(name, value)
    with atomic(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="png", pnginfo=notes)


def load_image(path: Path) -> np.ndarray:
    """Reads a PNG that we wrote: uint8 [H, W, 3]."""
    with reading(path, "picture", SyntaxError), Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def save_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON with provenance under the key `provenance`."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({**content, "provenance": provenance()}, indent=1))


def save_checksum(path: Path, *files: Path) -> None:
    """Writes the SHA-256 of each file, the input that rules have in place of a big file."""
    sums: dict[str, str] = {}
    for file in files:
        # Files of several folders may share a name.
        name = f"{file.parent.name}/{file.name}" if file.name in sums else file.name
        try:
            with open(file, "rb") as content:
                sums[name] = hashlib.file_digest(content, "sha256").hexdigest()
        except FileNotFoundError:
            raise InputError(f"{file}: there is no such file.") from None
    with atomic(path) as temporary:  # no provenance: the same content gives the same file
        temporary.write_text(json.dumps(sums))


def load_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; raises InputError if it is missing, truncated or something else."""
    with reading(path, "JSON file", *_JSON_ERRORS):
        content = json.loads(path.read_bytes())  # in UTF-8, UTF-16 or UTF-32, also with a BOM
        if not isinstance(content, dict):
            raise ValueError("it does not hold an object { }")
        return content


@contextmanager
def reading_zip(path: Path, advice: str) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive; raises InputError, also for its members, if it cannot be read."""
    with (
        reading(path, "zip archive that Python can unpack", *ZIP_ERRORS, advice=advice),
        zipfile.ZipFile(path) as file,
    ):
        yield file
