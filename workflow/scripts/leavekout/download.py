"""Fetches published archives and model folders, whole or not at all."""

import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import pooch
import requests
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from leavekout.artifacts import atomic_folder
from leavekout.errors import InputError
from leavekout.job import progress


def fetch_archive(url: str, md5: str, folder: Path) -> Path:
    """Downloads an archive and checks it; an archive that is there already is only checked."""
    name = PurePosixPath(url).name
    try:
        found = pooch.retrieve(url, f"md5:{md5}", fname=name, path=folder, progressbar=False)
    except ValueError as error:
        raise InputError(
            f"{url}: the download does not have the checksum {md5}; try again, or correct "
            "'dataset.archives'."
        ) from error
    except (requests.RequestException, OSError) as error:
        raise InputError(
            f"{url}: cannot be fetched ({type(error).__name__}); on a cluster without internet, "
            "run this rule on the login node."
        ) from error
    return Path(found)


def unpack(archive: Path, folder: Path, wanted: list[str]) -> None:
    """Unpacks the members of a zip archive that are, or lie below, the wanted paths."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = []
            for name in file.namelist():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    raise InputError(f"{archive}: the member '{name}' would leave the folder.")
                if any(path.is_relative_to(w) for w in wanted):
                    members.append(name)
            for name in progress(members, f"unpacking {archive.name}", total=len(members)):
                file.extract(name, folder)
    except zipfile.BadZipFile as error:
        raise InputError(f"{archive}: not a whole zip archive ({error}); delete it.") from error


def require_unpacked(folder: Path, wanted: list[str]) -> None:
    """Refuses a data set of which a part was in none of the archives."""
    for part in wanted:
        if not (folder / part).exists():
            raise InputError(f"{folder}: none of 'dataset.archives' holds '{part}'.")


def fetch_model(repo: str, revision: str, folder: str, target: Path) -> None:
    """Downloads one folder of a model repository (safetensors weights only) to `target`."""
    try:
        with (
            atomic_folder(target) as staging,
            tempfile.TemporaryDirectory(dir=staging.parent) as whole,
        ):
            snapshot_download(
                repo,
                revision=revision,
                local_dir=whole,
                allow_patterns=f"{folder}/*" if folder else "*",
                # Weights in pickles can run code when read; half-precision copies are not needed.
                ignore_patterns=["*.bin", "*.pt", "*.ckpt", "*.msgpack", "*.h5", "*.fp16.*"],
            )
            found = [path for path in (Path(whole) / folder).glob("*") if path.name != ".cache"]
            if not found:
                raise InputError(f"{repo}@{revision}: has no folder '{folder}'.")
            for path in found:
                path.rename(staging / path.name)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"{repo}@{revision}: cannot be fetched ({type(error).__name__}); check 'encoders' and "
            "the network, or on a cluster without internet run this rule on the login node."
        ) from error
