"""Downloads published archives, resumes broken downloads, and checks and unpacks them."""

import hashlib
import logging
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import requests

from leavekout.base.artifacts import reading_zip
from leavekout.base.errors import InputError
from leavekout.base.job import progress

logger = logging.getLogger("leavekout")
_CHUNK_BYTES = 2**20
_TIMEOUT_SECONDS = (10, 60)  # to connect; between two chunks
_PAUSES_SECONDS = (1, 5, 20)  # before retries; they start again after a retry that made progress
_LOG_EVERY_SECONDS = 15


def fetch_archive(urls: Sequence[str], md5: str, folder: Path) -> Path:
    """Downloads an archive, unless it is there, and checks its MD5 sum.

    A broken download resumes, now or when the job runs again. If an address fails, the next one is
    tried.

    Args:
        urls: an address and its mirrors.

    Raises:
        InputError: no address provides an archive with this checksum.
    """
    target, md5 = folder / PurePosixPath(urls[0]).name, md5.lower()
    if target.exists() and md5_of(target) == md5:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if part.exists() and md5_of(part) == md5:  # stopped before it was renamed
        return part.rename(target)
    reasons = []
    for url in urls:
        resumed = part.exists()
        try:
            _download(url, part)
            if resumed and md5_of(part) != md5:  # its beginning is from another archive
                part.unlink()
                _download(url, part)
        except (requests.RequestException, ConnectionError) as error:
            reasons.append(f"{url}: cannot be fetched ({_reason(error)})")
            continue
        if md5_of(part) == md5:
            return part.rename(target)
        part.unlink()
        reasons.append(f"{url}: the download does not have the checksum {md5}")
    raise InputError(
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


def md5_of(path: Path) -> str:
    """The MD5 sum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


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
