"""Fetches published archives, whole or not at all, going on after a break."""

import hashlib
import logging
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import requests

from leavekout.base.errors import InputError
from leavekout.base.job import progress

logger = logging.getLogger("leavekout")
_CHUNK_BYTES = 2**20
_TIMEOUT_SECONDS = (10, 60)  # to connect; between two pieces
_PAUSES_SECONDS = (1, 5, 20)  # before a broken download goes on; anew after each that brought some
_SAY_EVERY_SECONDS = 15


def fetch_archive(urls: Sequence[str], md5: str, folder: Path) -> Path:
    """Downloads an archive and checks it; one that is there already is only checked.

    A download that breaks goes on where it was, now or when the job runs again; an address that
    fails gives way to the next.

    Args:
        urls: an address and its mirrors.

    Raises:
        InputError: no address gave the archive, or what came has another checksum.
    """
    target = folder / PurePosixPath(urls[0]).name
    if target.exists() and md5_of(target) == md5:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if part.exists() and md5_of(part) == md5:  # stopped before it had its name
        return part.rename(target)
    reasons = []
    for url in urls:
        resumed = part.exists()
        try:
            _download(url, part)
            if resumed and md5_of(part) != md5:  # what was there is of another archive
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
    """Appends to `part` what is missing of it."""
    pauses = list(_PAUSES_SECONDS)
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _append(url, part, before)
        except requests.HTTPError as error:
            if error.response.status_code == requests.codes.requested_range_not_satisfiable:
                part.unlink()  # it is as long as the archive or longer, and of another one
                continue
            if error.response.status_code < requests.codes.internal_server_error or not pauses:
                raise
        except requests.RequestException:
            if part.exists() and part.stat().st_size > before:
                pauses = list(_PAUSES_SECONDS)
            if not pauses:
                raise
        pause = pauses.pop(0)
        logger.info("%s: broke off; going on in %d s", url, pause)
        time.sleep(pause)


def _append(url: str, part: Path, have: int) -> None:
    asked = {"Accept-Encoding": "identity"}  # so that bytes are those of the archive
    if have:
        asked["Range"] = f"bytes={have}-"
    with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            have = 0  # the server sends all of it anew
        total = have + int(response.headers.get("Content-Length", 0))
        began = said = time.monotonic()
        start = have
        with open(part, "ab" if have else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                have += len(chunk)
                if (now := time.monotonic()) - said > _SAY_EVERY_SECONDS:
                    rate, said = (have - start) / (now - began), now
                    logger.info(
                        "%s: %.1f of %.1f GB, %.0f MB/s",
                        url,
                        1e-9 * have,
                        1e-9 * total,
                        1e-6 * rate,
                    )


def md5_of(path: Path) -> str:
    """The MD5 sum of a file, as archives publish it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def unpack(archive: Path, folder: Path, wanted: list[str]) -> None:
    """Unpacks the members of a zip archive that are, or lie below, the wanted paths."""
    try:
        with zipfile.ZipFile(archive) as file:
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
                file.extract(member, folder)
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive}: not a whole zip archive ({error}); delete it.") from error


def require_unpacked(folder: Path, wanted: list[str]) -> None:
    """Refuses a data set of which a part was in none of the archives."""
    for part in wanted:
        if not (folder / part).exists():
            raise InputError(f"{folder}: none of 'dataset.archives' holds '{part}'.")
