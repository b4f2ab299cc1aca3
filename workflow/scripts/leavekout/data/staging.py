"""Copies of big arrays on a node's own disk, made once and shared by the jobs that run there."""

import fcntl
import hashlib
import logging
import os
from pathlib import Path

from leavekout.base.errors import InputError

logger = logging.getLogger("leavekout")
_PIECE = 1 << 24  # bytes


def staged(path: Path, sha256: str, folder: str) -> Path:
    """The copy of an array in a local folder, made now if it is not there.

    Jobs that start together make one copy: the others wait for it. A copy has its name only when it
    is whole and its checksum is right, so a killed copier leaves nothing that looks like one; the
    next takes over.

    Args:
        path: of the array; sha256: of its content, in hexadecimal.
        folder: with environment variables in it, such as `$TMPDIR`; "" for no copies.

    Raises:
        InputError: the folder cannot be written, its disk is full, or the copy differs.
    """
    if not folder:
        return path
    place = Path(os.path.expandvars(folder))
    copy = place / f"{sha256[:32]}-{path.name}"
    if copy.exists():
        return copy
    try:
        place.mkdir(parents=True, exist_ok=True)
        with open(place / f".{copy.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # which the kernel lifts when its owner dies
            if not copy.exists():
                logger.info("Copying %s to %s", path, place)
                _copy(path, copy, sha256)
    except OSError as error:
        raise InputError(
            f"hardware.stage_to: '{place}' cannot take {path.stat().st_size / 1e9:.1f} GB of "
            f"{path.name} ({error.strerror}); free some room or leave the key out."
        ) from error
    return copy


def _copy(path: Path, copy: Path, sha256: str) -> None:
    part = copy.with_name(f".{copy.name}.part")  # the lock's owner is the only one to write it
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
