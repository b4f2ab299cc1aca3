"""Unpacks published archives: zip, tar and 7z, in one file or split into parts."""

import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from leavekout.base.artifacts import ZIP_ERRORS, reading
from leavekout.base.errors import InputError
from leavekout.base.job import progress

_ADVICE = "delete it, or unpack it with another program and name its folder instead"
_BUFFER_BYTES = 1 << 20
_TAR_ERRORS = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int  # bytes, unpacked
    is_plain: bool  # a file or a folder, and neither a link nor a device


@dataclass(frozen=True)
class _Archive:
    members: list[_Member]
    extract: Callable[[Sequence[str], Path], None]  # the members of these names, into a folder


def unpack(archive: Path | Sequence[Path], folder: Path, wanted: Sequence[str]) -> list[str]:
    """Unpacks the members of an archive that are at or below the wanted paths ('.' is all).

    Args:
        archive: a file, or the parts of one in their order. The first name, without `.001` and the
            like, says the format: `.zip`, `.7z`, or else tar, compressed or not.

    Returns:
        The names of all members, also of those that are not wanted.

    Raises:
        InputError: it is damaged or encrypted, a member would leave the folder or is a link, or the
            disk is too small.
    """
    parts = [archive] if isinstance(archive, Path) else list(archive)
    first, places = parts[0], {PurePosixPath(path) for path in wanted}
    with _opened(parts) as opened:
        paths = [_path_of(member, first) for member in opened.members]
        chosen = [
            member
            for member, path in zip(opened.members, paths, strict=True)
            if not places.isdisjoint((path, *path.parents))
        ]
        for member in chosen:
            if not member.is_plain:
                raise InputError(
                    f"{first}: the member '{member.name}' is a link or a device, and only files "
                    "and folders are unpacked."
                )
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(member.size for member in chosen)
        if needed > (free := shutil.disk_usage(folder).free):
            raise InputError(
                f"{first}: unpacked it takes {1e-9 * needed:.1f} GB, but '{folder}' has "
                f"{1e-9 * free:.1f} GB left."
            )
        try:
            opened.extract([member.name for member in chosen], folder)
        except OSError as error:
            if error.errno is None:  # of a decompressor, not of the disk
                raise
            raise InputError(
                f"{error.filename or folder}: cannot be written ({error.strerror})."
            ) from error
        return [member.name for member in opened.members]


def names(archive: Path | Sequence[Path]) -> list[str]:
    """The names of the members of an archive, as for `unpack`."""
    with _opened([archive] if isinstance(archive, Path) else list(archive)) as opened:
        return [member.name for member in opened.members]


def _path_of(member: _Member, archive: Path) -> PurePosixPath:
    """A member's path, once it is known to stay in the folder."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{archive}: the member '{member.name}' would leave the folder.")
    return path


@contextmanager
def _opened(parts: Sequence[Path]) -> Iterator[_Archive]:
    first = parts[0]
    name = first.stem if first.suffix[1:].isdigit() else first.name
    errors: tuple[type[Exception], ...]
    with ExitStack() as stack:
        if name.endswith(".zip"):
            kind, errors, read = "zip archive that Python can unpack", ZIP_ERRORS, _zip
        elif name.endswith(".7z"):
            kind, errors, read = "7z archive that can be unpacked", _seven_zip_errors(), _seven_zip
        else:
            kind, errors, read = "tar archive", _TAR_ERRORS, _tar
        stack.enter_context(reading(first, kind, *errors, advice=_ADVICE))
        file = stack.enter_context(io.BufferedReader(_Joined(parts), _BUFFER_BYTES))
        yield read(file, first.name, stack)


def _zip(file: BinaryIO, name: str, stack: ExitStack) -> _Archive:
    archive = stack.enter_context(zipfile.ZipFile(file))

    def extract(names: Sequence[str], folder: Path) -> None:
        for member in progress(names, f"unpacking {name}", total=len(names)):
            archive.extract(member, folder)

    entries = archive.infolist()
    # Python writes a link of a zip archive as a file with the target's name.
    return _Archive([_Member(e.filename, e.file_size, True) for e in entries], extract)


def _tar(file: BinaryIO, name: str, stack: ExitStack) -> _Archive:
    archive = stack.enter_context(tarfile.open(fileobj=file))  # noqa: SIM115

    def extract(names: Sequence[str], folder: Path) -> None:
        for member in progress(names, f"unpacking {name}", total=len(names)):
            archive.extract(member, folder, filter="data")

    entries = archive.getmembers()
    return _Archive([_Member(e.name, e.size, e.isfile() or e.isdir()) for e in entries], extract)


def _seven_zip(file: BinaryIO, name: str, stack: ExitStack) -> _Archive:
    import py7zr  # slow to import, and rarely needed

    archive = stack.enter_context(py7zr.SevenZipFile(file))
    entries = archive.list()
    return _Archive(
        [_Member(e.filename, e.uncompressed, e.is_file or e.is_directory) for e in entries],
        lambda names, folder: archive.extract(folder, targets=names),
    )


def _seven_zip_errors() -> tuple[type[Exception], ...]:
    from py7zr import exceptions

    own = (exceptions.ArchiveError, exceptions.PasswordRequired, exceptions.AbsolutePathError)
    # A damaged header makes py7zr fail in these ways, too.
    return (*own, lzma.LZMAError, zlib.error, EOFError, ValueError, KeyError, IndexError, TypeError)


class _Joined(io.RawIOBase):
    """Several files, read as if they were one."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._files = [open(part, "rb") for part in parts]  # noqa: SIM115
        sizes = [part.stat().st_size for part in parts]
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self._size, self._place = sum(sizes), 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place in the whole."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place}.get(whence, self._size)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Reads from one of the files, as much as it has and the buffer takes."""
        if self._place >= self._size:
            return 0
        number = max(i for i, start in enumerate(self._starts) if start <= self._place)
        self._files[number].seek(self._place - self._starts[number])
        read = self._files[number].readinto(buffer)
        self._place += read
        return read

    def close(self) -> None:
        """Closes all files."""
        for file in self._files:
            file.close()
        super().close()
