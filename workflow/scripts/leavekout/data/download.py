"""Downloads published archives, resumes broken downloads, and checks and unpacks them."""

import difflib
import hashlib
import logging
import lzma
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import requests

from leavekout.base.artifacts import atomic, reading, reading_zip
from leavekout.base.errors import InputError
from leavekout.base.job import progress

logger = logging.getLogger("leavekout")
_CHUNK_BYTES = 2**20
_TIMEOUT_SECONDS = (10, 60)  # to connect; between two chunks
_PAUSES_SECONDS = (1, 5, 20)  # before retries; they start again after a retry that made progress
_LOG_EVERY_SECONDS = 15
_DIGESTS = {32: "md5", 64: "sha256"}  # by the digits of a checksum
_TAR_ERRORS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
_LARGEST_MEMBER = 1 << 30  # bytes


def fetch_archive(urls: Sequence[str], checksum: str, folder: Path) -> Path:
    """Downloads an archive, unless it is there, and checks its MD5 or SHA-256 sum.

    A broken download resumes, now or when the job runs again. If an address fails, the next one is
    tried.

    Args:
        urls: an address and its mirrors.

    Raises:
        InputError: no address provides an archive with this checksum.
    """
    target = folder / PurePosixPath(urls[0]).name
    if target.exists() and _has(target, checksum):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if part.exists() and _has(part, checksum):  # stopped before it was renamed
        return part.rename(target)
    reasons = []
    for url in urls:
        resumed = part.exists()
        try:
            _download(url, part)
            if resumed and not _has(part, checksum):  # its beginning is from another archive
                part.unlink()
                _download(url, part)
        except (requests.RequestException, ConnectionError) as error:
            reasons.append(f"{url}: cannot be fetched ({_reason(error)})")
            continue
        if _has(part, checksum):
            return part.rename(target)
        part.unlink()
        reasons.append(f"{url}: the download does not have the checksum {checksum}")
    raise _not_fetched(*reasons)


def fetch_file(url: str, checksum: str | None, target: Path) -> None:
    """Downloads a small file, anew at each call, and compares it with what came before.

    Args:
        checksum: MD5 or SHA-256. If it is not known, the file's SHA-256 is written beside it, and
            later downloads are compared with that.

    Raises:
        InputError: it cannot be fetched, or has another checksum.
    """
    note = target.with_name(f"{target.name}.sha256")
    known = note.read_text().strip() if note.exists() else None
    with atomic(target) as part:
        part.unlink()  # nothing to resume
        try:
            _download(url, part)
        except (requests.RequestException, ConnectionError) as error:
            raise _not_fetched(f"{url}: cannot be fetched ({_reason(error)})") from error
        if checksum and not _has(part, checksum):
            raise _not_fetched(f"{url}: the download does not have the checksum {checksum}")
        found = digest_of(part, "sha256")
        if not checksum and known not in (None, found):
            raise InputError(
                f"{url}: is not what it was when it was first fetched (SHA-256 {found}, then "
                f"{known}); to take it nevertheless, delete {note}."
            )
    if not checksum:
        logger.info("%s: SHA-256 %s, which no checksum of the configuration confirms", url, found)
        with atomic(note) as temporary:
            temporary.write_text(f"{found}\n")


def _not_fetched(*reasons: str) -> InputError:
    return InputError(
        f"{'; '.join(reasons)}; try again, or correct the addresses or the checksum. On a cluster "
        "without internet, run this rule on the login node."
    )


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP status {response.status_code}"


def _download(url: str, part: Path) -> None:
    """Appends the missing bytes to `part`, and retries after pauses."""
    pauses = list(_PAUSES_SECONDS)
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _append(url, part, before)
        except requests.HTTPError as error:
            if error.response.status_code == requests.codes.requested_range_not_satisfiable:
                part.unlink()  # from another archive, because it is at least as long as this one
                continue
            if error.response.status_code < requests.codes.internal_server_error or not pauses:
                raise
        except requests.RequestException:
            if part.exists() and part.stat().st_size > before:
                pauses = list(_PAUSES_SECONDS)
            if not pauses:
                raise
        pause = pauses.pop(0)
        logger.info("%s: connection lost; retrying in %d s", url, pause)
        time.sleep(pause)


def _append(url: str, part: Path, start: int) -> None:
    """Appends to `part`, which has `start` bytes, what one connection delivers."""
    headers = {"Accept-Encoding": "identity"}  # so that the bytes are the archive's own
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0  # the server sends the archive from the beginning
        total_gb = 1e-9 * (start + int(response.headers.get("Content-Length", 0)))
        began = logged = time.monotonic()
        with open(part, "ab" if start else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                if (now := time.monotonic()) - logged > _LOG_EVERY_SECONDS:
                    logged, have = now, file.tell()
                    rate = 1e-6 * (have - start) / (now - began)
                    logger.info("%s: %.1f of %.1f GB, %.0f MB/s", url, 1e-9 * have, total_gb, rate)


def digest_of(path: Path, kind: str) -> str:
    """The checksum of a file, of a kind that `hashlib` knows."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _has(path: Path, checksum: str) -> bool:
    return digest_of(path, _DIGESTS[len(checksum)]) == checksum


def read_member(archive: Path, name: str) -> bytes:
    """The content of one file of a tar archive, compressed or not. Nothing is unpacked.

    Raises:
        InputError: it is no such archive, or has no such file.
    """
    advice = "delete it, and it is fetched again"
    with reading(archive, "tar archive", *_TAR_ERRORS, advice=advice):
        if not tarfile.is_tarfile(archive):  # what `open` says lists all kinds of compression
            raise tarfile.ReadError("it does not begin as one")
        with tarfile.open(archive) as file:
            members = {PurePosixPath(member.name).as_posix(): member for member in file}
            found = members.get(PurePosixPath(name).as_posix())
            if found is None:
                near = difflib.get_close_matches(name, members, n=1, cutoff=0)
                hint = f"; the nearest is '{near[0]}'" if near else ""
                raise InputError(f"{archive}: holds no '{name}'{hint}.")
            content = file.extractfile(found) if found.isfile() else None
            if content is None:
                raise InputError(f"{archive}: '{name}' is a link or a folder, and no file.")
            if found.size > _LARGEST_MEMBER:
                raise InputError(f"{archive}: '{name}' has {1e-9 * found.size:.1f} GB, too many.")
            return content.read()


def unpack(archive: Path, folder: Path, wanted: list[str]) -> None:
    """Unpacks the members of a zip archive that are at or below the wanted paths."""
    advice = "delete it, or unpack it with another program and name its folder instead"
    with reading_zip(archive, advice) as file:
        members = []
        for member in file.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts:
                raise InputError(
                    f"{archive}: the member '{member.filename}' would leave the folder."
                )
            if any(path.is_relative_to(w) for w in wanted):
                members.append(member)
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(member.file_size for member in members)
        if needed > (free := shutil.disk_usage(folder).free):
            raise InputError(
                f"{archive}: unpacked it takes {1e-9 * needed:.1f} GB, but '{folder}' has "
                f"{1e-9 * free:.1f} GB left."
            )
        for member in progress(members, f"unpacking {archive.name}", total=len(members)):
            _extract(file, member, folder)


def _extract(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    try:
        file.extract(member, folder)
    except OSError as error:
        if error.errno is None:  # of a decompressor, not of the disk
            raise
        raise InputError(
            f"{error.filename or folder}: cannot be written ({error.strerror})."
        ) from error


def require_unpacked(folder: Path, wanted: list[str]) -> None:
    """Rejects a data set if a wanted path was in none of the archives."""
    for part in wanted:
        if not (folder / part).exists():
            raise InputError(f"{folder}: none of 'dataset.archives' holds '{part}'.")
