"""Downloads published files, resumes broken downloads, and checks what arrived."""

import hashlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import requests

from leavekout.base.errors import InputError
from leavekout.base.job import progress

logger = logging.getLogger("leavekout")
_CHUNK_BYTES = 2**20
_TIMEOUT_SECONDS = (10, 60)  # to connect; between two chunks
_PAUSES_SECONDS = (1, 5, 20)  # before retries; they start again after a retry that made progress
_LOG_EVERY_SECONDS = 15
_MD5_DIGITS = 32
_CONNECTIONS = 16  # at the same time, where pictures come one by one


def fetch_archive(urls: Sequence[str], checksum: str | None, folder: Path) -> Path:
    """Downloads an archive or another file, unless it is there, and checks its checksum.

    A broken download resumes, now or when the job runs again. If an address fails, the next one is
    tried.

    Args:
        urls: an address and its mirrors.
        checksum: MD5 or SHA-256, in hexadecimal; None if it is not known.

    Raises:
        InputError: no address provides a file with this checksum.
    """
    target = folder / PurePosixPath(urls[0]).name
    if target.exists() and has_checksum(target, checksum):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if checksum and part.exists() and has_checksum(part, checksum):  # stopped before its renaming
        return part.rename(target)
    reasons = []
    for url in urls:
        resumed = part.exists()
        try:
            _download(url, part)
            if resumed and not has_checksum(part, checksum):  # its beginning is from another file
                part.unlink()
                _download(url, part)
        except (requests.RequestException, ConnectionError) as error:
            reasons.append(f"{url}: cannot be fetched ({_reason(error)})")
            continue
        if has_checksum(part, checksum):
            return part.rename(target)
        part.unlink()
        reasons.append(f"{url}: the download does not have the checksum {checksum}")
    raise InputError(
        f"{'; '.join(reasons)}; try again, or correct the addresses or the checksum. On a cluster "
        "without internet, run this rule on the login node."
    )


def fetch_pictures(address: str, names: Sequence[str], folder: Path) -> None:
    """Downloads files one by one, several at the same time, unless they are there.

    Nothing says their checksums; each has the length that the server states, and has to be a
    picture when it is read.

    Args:
        address: of their folder; names: within it; folder: theirs here.

    Raises:
        InputError: one cannot be fetched.
    """

    def fetch(name: str) -> None:
        fetch_archive([f"{address.rstrip('/')}/{name}"], None, (folder / name).parent)

    with ThreadPoolExecutor(_CONNECTIONS) as executor:
        jobs = [executor.submit(fetch, name) for name in names]
        try:
            for job in progress(jobs, "fetching pictures", total=len(jobs)):
                job.result()
        except InputError:
            executor.shutdown(cancel_futures=True)
            raise


def has_checksum(path: Path, checksum: str | None) -> bool:
    """Whether a file has an MD5 or SHA-256 sum; true if none is known."""
    if checksum is None:
        return True
    with open(path, "rb") as file:
        kind = "md5" if len(checksum) == _MD5_DIGITS else "sha256"
        return hashlib.file_digest(file, kind).hexdigest() == checksum.lower()


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


def require_unpacked(folder: Path, wanted: list[str]) -> None:
    """Rejects a data set if a wanted path was in none of the archives."""
    for part in wanted:
        if not (folder / part).exists():
            raise InputError(f"{folder}: none of 'dataset.archives' holds '{part}'.")
