"""A published file in the configuration: where it is, and what is taken of it."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from leavekout.config.fields import PathText, Positive, Section


class Download(Section):
    """A published file, fetched once.

    It is a `file` of a data set of the Hub, whose checksums are checked, or is at a `url`.
    """

    repo: PathText | None = None
    """Name of a data set of the Hugging Face Hub, or a local folder of the same layout."""
    revision: str = "main"
    """Revision of that data set."""
    file: str | None = None
    """Path of the file in the data set. With a `*` there may be several: the parts of one archive,
    in the order of their names, or else the files of a folder."""
    url: str | None = None
    """Address of the file, in place of `repo` and `file`."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 checksum of the file at `url`. Without it, only its length is checked."""
    size: Positive | None = None
    """Bytes of the file, or of all files, where this is known; it is checked, and counted by `make
    plan`."""
    member: str | None = None
    """Path within the file, which is a 7z, zip or tar archive and is unpacked."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.repo is None) or (self.repo is None) != (self.file is None):
            raise PydanticCustomError("one_of", "has to have either 'repo' and 'file' or 'url'")
        if self.sha256 and not self.url:
            raise PydanticCustomError(
                "one_of", "has a 'sha256', which is for a 'url'; the Hub has its own checksums"
            )
        return self

    @property
    def source(self) -> str:
        """Where the file is, in words."""
        return self.url or f"{self.repo}@{self.revision}/{self.file}"

    @property
    def folder(self) -> str:
        """A name for the folder of what was fetched; all members of one archive share it."""
        stem = PurePosixPath(self.source).name.split(".")[0].strip("*") or "files"
        return f"{stem}-{hashlib.sha256(self.source.encode()).hexdigest()[:8]}"

    @property
    def content(self) -> str:
        """The path of what was fetched, within `folder`: a file, or `.` for several files."""
        name = PurePosixPath(self.source).name
        return self.member or ("." if "*" in name else name)


def _form(value: Any) -> str:
    return "<path>" if isinstance(value, str) else "<Download>"


# A local path, or where to fetch the file. (With a union alone, an error would be about both.)
File = Annotated[
    Annotated[PathText, Tag("<path>")] | Annotated[Download, Tag("<Download>")],
    Discriminator(_form),
]


def by_folder(downloads: Iterable[Download]) -> dict[str, tuple[Download, list[str]]]:
    """What is fetched, by its folder's name: the address, and members of its archive."""
    found: dict[str, tuple[Download, list[str]]] = {}
    for download in downloads:
        _, members = found.setdefault(download.folder, (download, []))
        if download.member and download.member not in members:
            members.append(download.member)
    return found
