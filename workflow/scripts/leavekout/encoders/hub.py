"""Fetches folders of model repositories, from a hub or a mirror of it, going on after a break."""

import hashlib
import shutil
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from leavekout.base.artifacts import atomic_folder
from leavekout.base.errors import InputError
from leavekout.base.job import progress

# Weights in pickles can run code when read; half-precision copies are not needed.
_UNWANTED = ("*.bin", "*.pt", "*.ckpt", "*.msgpack", "*.h5", "*.fp16.*")


def fetch_model(
    repo: str, revision: str, folder: str, target: Path, *, endpoint: str | None = None
) -> None:
    """Downloads one folder of a model repository (safetensors weights only) to `target`.

    What was fetched before a break lies beside the target, and is not fetched again.

    Args:
        repo: a repository's id, or a local folder that is one.
        endpoint: address of the hub; None for the public one, or that of HF_ENDPOINT. One that is
            named here is not told who asks: a token that is kept on this machine goes to the
            other two alone.

    Raises:
        InputError: it cannot be fetched, is not as published, or has no such folder.
    """
    if Path(repo).is_dir():
        _copy(Path(repo) / folder, target)
        return
    key = hashlib.sha256(f"{repo}@{revision}/{folder}".encode()).hexdigest()[:8]
    partial = target.with_name(f".{target.name}.{key}.partial")
    token = False if endpoint else None
    try:
        hub = HfApi(endpoint=endpoint, token=token)
        info = hub.model_info(repo, revision=revision, files_metadata=True)
        wanted = [file for file in info.siblings or () if _is_wanted(file.rfilename, folder)]
        if not wanted:
            raise InputError(f"{repo}@{revision}: has no folder '{folder}'.")
        for file in progress(wanted, f"fetching {repo}", total=len(wanted)):
            path = hub.hf_hub_download(repo, file.rfilename, revision=info.sha, local_dir=partial)
            if file.lfs is not None and _sha256(Path(path)) != file.lfs.sha256:
                Path(path).unlink()
                raise InputError(
                    f"{repo}@{revision}: '{file.rfilename}' does not have the published checksum; "
                    "try again."
                )
    except (HFValidationError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
        raise InputError(
            f"{repo}@{revision}: cannot be fetched ({type(error).__name__}); check 'encoders' and "
            "the network, or on a cluster without internet run this rule on the login node."
        ) from error
    _copy(partial / folder, target)
    shutil.rmtree(partial)


def _is_wanted(name: str, folder: str) -> bool:
    """Whether a file stands in the folder itself, and is of a kind that we read."""
    path = PurePosixPath(name)
    return path.parent == PurePosixPath(folder) and not any(fnmatch(name, u) for u in _UNWANTED)


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
