"""Downloads models, and files of data sets, from a hub or a mirror; broken downloads resume."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from leavekout.base.artifacts import atomic_folder
from leavekout.base.errors import InputError
from leavekout.base.job import progress

# Pickled weights can run code when read; half-precision copies are not needed.
_UNWANTED = ("*.bin", "*.pt", "*.ckpt", "*.msgpack", "*.h5", "*.fp16[.-]*")


def cached_data_set(name: str) -> Path:
    """The folder of a data set in this machine's cache of the hub; nothing is fetched.

    Raises:
        InputError: it is not there.
    """
    try:
        return Path(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        raise InputError(
            f"{name}: there is no such folder, and no data set of this name in the Hub's cache; "
            f"fetch one of the Hub first: hf download --repo-type dataset {name}"
        ) from None


def fetch_model(
    repo: str,
    revision: str,
    folder: str,
    target: Path,
    *,
    endpoint: str | None = None,
    weights: bool = True,
) -> None:
    """Downloads one folder of a model repository (safetensors weights only) to `target`.

    After a broken download, its files are kept beside the target and are not downloaded again.

    Args:
        repo: a repository's id, or a local folder of the same layout.
        endpoint: address of the hub; None for HF_ENDPOINT or the public hub. An address given here
            receives no token: a token of this machine is sent to the other two only.
        weights: whether there have to be weights. A tokenizer has none.

    Raises:
        InputError: it cannot be fetched, has another checksum, has no such folder, or has weights
            only in formats that we do not read.
    """
    if Path(repo).is_dir():
        source = Path(repo) / folder
        if weights and source.is_dir():
            _require_weights([path.name for path in source.glob("*")], str(source))
        _copy(source, target)
        return
    partial = _partial(target, f"{repo}@{revision}/{folder}")
    with _reaching(repo, revision, "encoders"):
        hub = _hub(endpoint)
        info = hub.model_info(repo, revision=revision, files_metadata=True)
        wanted = [file for file in info.siblings or () if _is_wanted(file.rfilename, folder)]
        if not wanted:
            raise InputError(f"{repo}@{revision}: has no folder '{folder}'.")
        if weights:
            inside = [PurePosixPath(file.rfilename) for file in info.siblings or ()]
            names = [path.name for path in inside if path.parent == PurePosixPath(folder)]
            _require_weights(names, f"{repo}@{revision}/{folder}".rstrip("/"))
        _fetch(hub, info, wanted, partial, kind="model")
    _copy(partial / folder, target)
    shutil.rmtree(partial)


def fetch_files(
    repo: str,
    revision: str,
    pattern: str,
    partial: Path,
    *,
    endpoint: str | None = None,
    size: int | None = None,
) -> list[Path]:
    """Downloads the files of a data set whose path matches a pattern to the folder `partial`.

    Files of an earlier attempt that are complete are not downloaded again.

    Args:
        repo: a data set's id, or a local folder of the same layout.
        pattern: a path, in which a `*` stands for a part of a name.
        endpoint: as in `fetch_model`.
        size: the bytes that all files have to have together; None if it is not known.

    Returns:
        The files, ordered by name.

    Raises:
        InputError: none matches, or they cannot be fetched, have other checksums or another size,
            or do not fit on the disk.
    """
    if Path(repo).is_dir():
        found = sorted(path for path in Path(repo).glob(pattern) if path.is_file())
    else:
        with _reaching(repo, revision, "published"):
            hub = _hub(endpoint)
            info = hub.dataset_info(repo, revision=revision, files_metadata=True)
            wanted = [file for file in info.siblings or () if _matches(file.rfilename, pattern)]
            _require_space(wanted, partial, f"{repo}@{revision}")
            _fetch(hub, info, wanted, partial, kind="dataset")
        found = sorted(partial / file.rfilename for file in wanted)
    if not found:
        raise InputError(f"{repo}@{revision}: has no file '{pattern}'.")
    if size is not None and size != (bytes_found := sum(path.stat().st_size for path in found)):
        raise InputError(
            f"{repo}@{revision}: '{pattern}' has {bytes_found:,} bytes in {len(found)} files, but "
            f"'size' is {size:,}; check the revision, or correct 'size'."
        )
    return found


def _require_space(files: Sequence[Any], folder: Path, source: str) -> None:
    """Raises InputError if files that are not there yet do not fit on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size or 0 for file in files if not (folder / file.rfilename).exists())
    if missing > (free := shutil.disk_usage(folder).free):
        raise InputError(
            f"{source}: {1e-9 * missing:.1f} GB are to be downloaded, but '{folder}' has "
            f"{1e-9 * free:.1f} GB left."
        )


def _matches(name: str, pattern: str) -> bool:
    """Whether a path matches a pattern whose `*` stays within a folder."""
    path, wanted = PurePosixPath(name), PurePosixPath(pattern)
    return path.parent == wanted.parent and fnmatch(path.name, wanted.name)


def _hub(endpoint: str | None) -> HfApi:
    return HfApi(endpoint=endpoint, token=False if endpoint else None)


def _partial(target: Path, source: str) -> Path:
    key = hashlib.sha256(source.encode()).hexdigest()[:8]
    return target.with_name(f".{target.name}.{key}.partial")


@contextmanager
def _reaching(repo: str, revision: str, section: str) -> Iterator[None]:
    """Raises InputError if the hub, or a file of it, cannot be reached."""
    try:
        yield
    except InputError:
        raise
    except (HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
        raise InputError(
            f"{repo}@{revision}: cannot be fetched ({type(error).__name__}); check '{section}' and "
            "the network, or on a cluster without internet run this rule on the login node."
        ) from error


def _fetch(hub: HfApi, info: Any, wanted: Sequence[Any], folder: Path, *, kind: str) -> None:
    """Downloads files of a repository, and checks those that have a checksum."""
    for file in progress(wanted, f"fetching {info.id}", total=len(wanted)):
        name = file.rfilename
        path = Path(
            hub.hf_hub_download(info.id, name, revision=info.sha, local_dir=folder, repo_type=kind)
        )
        if file.lfs is not None and _sha256(path) != file.lfs.sha256:
            path.unlink()
            raise InputError(
                f"{info.id}: '{name}' does not have the published checksum; try again."
            )


def _is_wanted(name: str, folder: str) -> bool:
    """Whether a file is directly in the folder and has a format that we read."""
    path = PurePosixPath(name)
    return path.parent == PurePosixPath(folder) and not any(fnmatch(name, u) for u in _UNWANTED)


def _require_weights(names: Sequence[str], where: str) -> None:
    """Raises InputError if a folder with these files has no weights that we read."""
    if not any(name.endswith(".safetensors") and _is_wanted(name, "") for name in names):
        others = sorted(name for name in names if any(fnmatch(name, u) for u in _UNWANTED))
        found = f"has its weights only as '{others[0]}'" if others else "has no weights"
        raise InputError(
            f"{where}: {found}; name a repository or revision that has them as .safetensors in "
            "full precision, or convert them and name the local folder."
        )


def _copy(source: Path, target: Path) -> None:
    files = [path for path in source.glob("*") if _is_wanted(path.name, "") and path.is_file()]
    if not files:
        raise InputError(f"{source}: there are no files of a model.")
    with atomic_folder(target) as staging:
        for path in files:
            shutil.copy(path, staging / path.name)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
