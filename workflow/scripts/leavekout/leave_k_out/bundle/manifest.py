"""A bundle's manifest: the description of its study, and the checksum of each artifact."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from leavekout.base.errors import InputError

FORMAT = 1
MANIFEST = "manifest.json"
# Formats that contain no code and no pickles.
_SUFFIXES = (".json", ".npy", ".parquet", ".png", ".safetensors", ".txt")
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_HARM = "the bundle is corrupt or malicious"


def _of_known_format(name: str) -> str:
    if PurePosixPath(name).suffix not in _SUFFIXES:
        raise ValueError("not a format that a bundle may contain")
    return name


Name = Annotated[str, Field(pattern=f"^{_PART}$")]
# A relative path that cannot leave its folder.
PlainPath = Annotated[str, Field(pattern=f"^{_PART}(/{_PART})*$")]
ArtifactPath = Annotated[PlainPath, AfterValidator(_of_known_format)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Entry(_Part):
    """One artifact: its archive, its size in bytes, and its SHA-256."""

    archive: PlainPath
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class About(_Part):
    """The study of a bundle.

    Args:
        study: its name; methods: those that it compares.
        made_by: commit and libraries of the bundle; versions: of its artifacts, by stage.
        training_loop: the version of the loop that trained its models.
        settings: all settings that change numbers, defaults included.
        images: digest of the images and captions.
    """

    study: Name
    methods: list[Name]
    made_by: dict[str, Any]
    training_loop: int | None = None
    settings: dict[str, Any] = {}
    images: str | None = None
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
        InputError: it is missing, of another format, or malformed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, so this is not the bundle of a study.")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise InputError(f"{path}: {_reason(error.errors()[0])}") from None


def _reason(error: Any) -> str:
    """What is wrong with a manifest, from one of pydantic's errors."""
    key = ".".join(str(name) for name in error["loc"] if name != "[key]")
    value = error["input"]
    if key == "format":
        return (
            f"a bundle of format {value}; this version reads format {FORMAT}. Fetch the study's "
            "newer bundle, or use the version of this workflow that made this one."
        )
    if not isinstance(value, str | int | None):
        value = type(value).__name__
    return f"not a bundle's manifest: '{key}' is {value!r} ({error['msg']}); {_HARM}."
