"""Brings big arrays near: to a node's local disk or into its memory, for all jobs of the node."""

import fcntl
import hashlib
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from leavekout.base.errors import InputError

logger = logging.getLogger("leavekout")
_PIECE = 1 << 24  # bytes
_READERS = 4
_WORTH_A_LINE = 1e9  # bytes


def staged(path: Path, sha256: str, folder: str) -> Path:
    """The path of an array's copy in a local folder. The copy is made if it is missing.

    If several jobs start together, one copies and the others wait. The copy gets its name when it
    is complete and its checksum is right. So after a killed job, the next job copies again.

    Args:
        path: of the array; sha256: of its content, in hexadecimal.
        folder: may contain environment variables such as `$TMPDIR` and `~`; "" for no copies.

    Raises:
        InputError: the folder cannot be written, its disk is full, or the copy differs.
    """
    if not folder:
        return path
    local = Path(os.path.expandvars(os.path.expanduser(folder)))
    if unset := re.search(r"\$(\w+|\{\w+\})|^~", str(local)):
        raise InputError(
            f"hardware.stage_to: '{folder}' names no folder on this node, because {unset[0]} is "
            "not set there; name another folder or leave the key out."
        )
    _warn_of_a_job_s_own(local)
    copy = local / f"{sha256[:32]}-{path.name}"
    if copy.exists():
        return copy
    try:
        local.mkdir(parents=True, exist_ok=True)
        with open(local / f".{copy.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel releases it if this process dies
            if not copy.exists():
                logger.info("Copying %s to %s", path, local)
                _copy(path, copy, sha256)
    except OSError as error:
        raise InputError(
            f"hardware.stage_to: '{local}' cannot take {path.stat().st_size / 1e9:.1f} GB of "
            f"{path.name} ({error.strerror}); free some space or leave the key out."
        ) from error
    return copy


def read_through(array: np.ndarray, first: int) -> None:
    """Reads a memory-mapped array's rows from `first` on, from start to end.

    The node then has them in its page cache, unless its memory is too small, and reads rows in any
    order from there. Page faults in random order would be many times slower on most disks. What is
    in the page cache already costs little. An array in memory is left alone.
    """
    if not isinstance(array, np.memmap) or array.filename is None:
        return
    start = array.offset + array[:first].nbytes
    starts = range(start, array.offset + array.nbytes, _PIECE)
    if array.nbytes > _WORTH_A_LINE:
        logger.info("Reading %s into the node's memory", array.filename)
    file = os.open(array.filename, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(_READERS) as executor:
            for _ in executor.map(lambda place: len(os.pread(file, _PIECE, place)), starts):
                pass
    finally:
        os.close(file)


def _warn_of_a_job_s_own(folder: Path) -> None:
    """Says if a folder is a SLURM job's own, because then each job makes its copy."""
    job = os.environ.get("SLURM_JOB_ID")
    if job and re.search(rf"(?<!\d){job}(?!\d)", str(folder)):
        logger.warning(
            "hardware.stage_to: '%s' seems to be this job's own folder, so every job copies all "
            "data; name one that the jobs of a node share, such as /scratch/%s.",
            folder,
            os.environ.get("USER", "me"),
        )


def _copy(path: Path, copy: Path, sha256: str) -> None:
    part = copy.with_name(f".{copy.name}.part")  # only the owner of the lock writes it
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as source, open(part, "wb") as target:
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != sha256:
            raise InputError(
                f"{path}: its content is not what its checksum file says; delete it and its .json."
            )
        part.rename(copy)
    finally:
        part.unlink(missing_ok=True)
