"""Fetches published files: downloads, checks and unpacks them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from leavekout.base.artifacts import atomic_folder
from leavekout.base.errors import InputError, first_few
from leavekout.config.download import Download
from leavekout.data.archives import unpack
from leavekout.data.download import fetch_archive
from leavekout.encoders.hub import fetch_files


def fetch_published(
    download: Download, members: Sequence[str], target: Path, *, endpoint: str | None = None
) -> None:
    """Fetches a published file, or the members of an archive, to the folder `target`.

    After a broken download, its files are kept beside the target and are not downloaded again.

    Args:
        members: paths within the archive; none if the file is no archive.
        endpoint: as in `fetch_model`.

    Raises:
        InputError: it cannot be fetched, is not what is said of it, or lacks a member.
    """
    partial = target.with_name(f".{target.name}.partial")
    files = _fetched(download, partial, endpoint)
    with atomic_folder(target) as staging:
        if members:
            names = unpack(files, staging, members)
            for member in members:
                if not (staging / member).exists():
                    raise InputError(
                        f"{download.source}: the archive has no '{member}', only "
                        f"{first_few(names, 5)}; correct 'member'."
                    )
        else:
            for file in files:
                move = shutil.move if file.is_relative_to(partial) else shutil.copy
                move(file, staging / file.name)
    shutil.rmtree(partial, ignore_errors=True)


def _fetched(download: Download, partial: Path, endpoint: str | None) -> list[Path]:
    if download.url:
        file = fetch_archive([download.url], download.sha256, partial)
        if download.size not in (None, found := file.stat().st_size):
            file.unlink()
            raise InputError(
                f"{download.url}: has {found:,} bytes, but 'size' is {download.size:,}; correct "
                "it, or try again."
            )
        return [file]
    assert download.repo
    assert download.file
    where = download.repo, download.revision, download.file
    return fetch_files(*where, partial, endpoint=endpoint, size=download.size)
