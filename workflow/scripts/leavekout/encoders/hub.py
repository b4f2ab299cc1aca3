"""Downloads folders of model repositories from a hub or a mirror; broken downloads resume."""

import hashlib
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from leavekout.base.artifacts import atomic_folder
from leavekout.base.errors import InputError
from leavekout.base.job import progress

# Pickled weights can run code when read; half-precision copies are not needed.
_UNWANTED = ("*.bin", "*.pt", "*.ckpt", "*.msgpack", "*.h5", "*.fp16[.-]*")


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
    key = hashlib.sha256(f"{repo}@{revision}/{folder}".encode()).hexdigest()[:8]
    partial = target.with_name(f".{target.name}.{key}.partial")
    try:
        hub = HfApi(endpoint=endpoint, token=False if endpoint else None)
        info = hub.model_info(repo, revision=revision, files_metadata=True)
        wanted = [file for file in info.siblings or () if _is_wanted(file.rfilename, folder)]
        if not wanted:
            raise InputError(f"{repo}@{revision}: has no folder '{folder}'.")
        if weights:
            inside = [PurePosixPath(file.rfilename) for file in info.siblings or ()]
            names = [path.name for path in inside if path.parent == PurePosixPath(folder)]
            _require_weights(names, f"{repo}@{revision}/{folder}".rstrip("/"))
        for file in progress(wanted, f"fetching {repo}", total=len(wanted)):
            name, commit = file.rfilename, info.sha
            path = Path(hub.hf_hub_download(repo, name, revision=commit, local_dir=partial))
            if file.lfs is not None and _sha256(path) != file.lfs.sha256:
                path.unlink()
                raise InputError(
                    f"{repo}@{revision}: '{name}' does not have the published checksum; try again."
                )
    except (HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
        raise InputError(
            f"{repo}@{revision}: cannot be fetched ({type(error).__name__}); check 'encoders' and "
            "the network, or on a cluster without internet run this rule on the login node."
        ) from error
    _copy(partial / folder, target)
    shutil.rmtree(partial)


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
