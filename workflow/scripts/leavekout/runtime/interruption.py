"""Work that survives: told to stop, it stops where it can go on; and no job runs twice at once."""

import fcntl
import glob
import hashlib
import logging
import os
import platform
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

logger = logging.getLogger("leavekout")
# A cluster's cancellation or preemption, its warning before the time limit, and Ctrl-C.
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_STATES = ("state.safetensors", "partial.npy", "partial.json")
_POLL_SECONDS = 1.0
_DAY_SECONDS = 86_400
_LOCKS = Path(".snakemake/running")  # not log files, which Snakemake deletes before each attempt


class StopRequest:
    """The signal that asked this process to stop, or None."""

    by: signal.Signals | None = None


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Within the block, a signal to stop is noted; the work looks at it where it can stop.

    Only in the main thread, which alone may handle signals.
    """
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.by = signal.Signals(number)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for_twin(job: str) -> None:
    """Waits while another process runs the same job, and keeps others waiting until this one ends.

    That happens when Snakemake is killed and started again while its cluster jobs run on. The lock
    ends with the process that holds it, however that ends. Where the file system has no locks, or
    none across machines, both run, which costs time alone: artifacts are written under unique names
    and renamed.

    Args:
        job: what tells jobs apart: the path of the log file, relative to the working folder.
    """
    path = _LOCKS / f"{hashlib.sha256(job.encode()).hexdigest()[:16]}.lock"
    told = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # closed with the process
        while not _locked(lock):
            if not told:
                logger.info(
                    "another process runs this very job (%s); waiting for it to end",
                    path.read_text(),
                )
                told = True
            time.sleep(_POLL_SECONDS)
        os.truncate(lock, 0)
        os.pwrite(lock, f"{platform.node()}, process {os.getpid()}".encode(), 0)
    except OSError as error:
        logger.warning("%s: no lock (%s); going on without", path, error.strerror)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_leftovers(outputs: Iterable[Path]) -> None:
    """Deletes what killed attempts at the same outputs left under temporary names.

    That is what a dead process of this machine has left, and of another machine's what nobody wrote
    to for a day, since a twin may be at work there.
    """
    for output in outputs:
        # The state of what is in the making lies beside; see `train_from_scratch` and `Rows`.
        beside = (f"{output.stem}.{end}" for end in _STATES)
        note = output.with_name(f"{output.stem}.partial.json")
        gone_on_from = note.read_text() if note.exists() else ""
        for name in (output.name, *beside):
            for leftover in output.parent.glob(f".*~*~*~{glob.escape(name)}"):
                if leftover.name not in gone_on_from and _is_dead(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
                    leftover.unlink(missing_ok=True)


def _is_dead(temporary: Path) -> bool:
    """Whether a file or folder named by `artifacts.temporary_beside` has lost its writer."""
    host, pid, _ = temporary.name[1:].split("~", 2)
    if host == platform.node() and pid.isdecimal():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it lives, and is another's
            return False
    try:
        return time.time() - temporary.stat().st_mtime > _DAY_SECONDS
    except FileNotFoundError:
        return False
