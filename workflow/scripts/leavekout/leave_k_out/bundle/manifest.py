"""A bundle's manifest: what it is of, and what each artifact must be."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from leavekout.base.errors import InputError

FORMAT = 1
MANIFEST = "manifest.json"
# Formats whose readers here run nothing that is in a file: no pickles, no code.
_SUFFIXES = (".json", ".npy", ".parquet", ".png", ".safetensors", ".txt")
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_HARM = "the bundle is corrupt or malicious"


def _of_known_format(name: str) -> str:
    if PurePosixPath(name).suffix not in _SUFFIXES:
        raise ValueError("is of no format that a bundle may hold")
    return name


Name = Annotated[str, Field(pattern=f"^{_PART}$")]
# It cannot lead out of the folder that it is below.
PlainPath = Annotated[str, Field(pattern=f"^{_PART}(/{_PART})*$")]
ArtifactPath = Annotated[PlainPath, AfterValidator(_of_known_format)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Entry(_Part):
    """One artifact: the archive that it is in, its size in bytes, and its SHA-256."""

    archive: PlainPath
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class About(_Part):
    """What a bundle is of.

    Args:
        study: the study's name; methods: those that it compares.
        made_by: commit and libraries; versions: those that made its artifacts, by stage.
        training_loop: the version of the loop that trained its models.
        settings: all that numbers depend on, defaults included.
        images: digest of the images and captions.
        clusters: the cluster of each query; None if the study did not look for any.
    """

    study: Name
    methods: list[Name]
    made_by: dict[str, Any]
    training_loop: int | None = None
    settings: dict[str, Any] = {}
    images: str | None = None
    clusters: dict[str, str] | None = None
    versions: list[dict[str, Any]] = []

    @property
    def commit(self) -> str:
        """The commit that made the bundle."""
        return str(self.made_by.get("commit", "unknown"))


class Manifest(_Part):
    """The content of `manifest.json`."""

    format: Literal[1]
    about: About
    folders: list[PlainPath]
    files: dict[ArtifactPath, Entry]


def read_manifest(folder: Path) -> Manifest:
    """Reads a bundle's manifest.

    Raises:
        InputError: there is none, it is of another format, or malformed; in one sentence.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, so this is no bundle of a study.")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise InputError(f"{path}: {_reason(error.errors()[0])}") from None


def _reason(error: Any) -> str:
    """What is wrong with a manifest, by the first of pydantic's errors."""
    where = [str(part) for part in error["loc"] if part != "[key]"]
    key, found = ".".join(where), error["input"]
    if key == "format":
        return (
            f"a bundle of format {found}; this version reads format {FORMAT}. Fetch the study's "
            "newer bundle, or use the version of this workflow that made this one."
        )
    if not isinstance(found, str | int | None):
        found = type(found).__name__
    return f"not a bundle's manifest: '{key}' is {found!r} ({error['msg']}); {_HARM}."
