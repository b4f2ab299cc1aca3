"""Work that survives: told to stop, it stops where it can go on; and no job runs twice at once."""

import fcntl
import hashlib
import logging
import os
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
_POLL_SECONDS = 1.0
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
    ends with the process that holds it, however that ends. Where the file system has no locks, both
    run, which costs time alone: artifacts are written under unique names and renamed.

    Args:
        job: what tells jobs apart: the path of the log file, relative to the working folder.
    """
    path = _LOCKS / f"{hashlib.sha256(job.encode()).hexdigest()[:16]}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # closed with the process
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                logger.info("another process runs this very job; waiting for it to end")
                told = True
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            logger.warning("no file locks here (%s); going on without", error.strerror)
            return
        else:
            return


def remove_leftovers(outputs: Iterable[Path]) -> None:
    """Deletes what killed attempts at the same outputs left under temporary names.

    Called by the one process that runs the job, so none of them is being written.
    """
    for output in outputs:
        # A training's state lies beside its output; see `train_from_scratch`.
        for name in (output.name, f"{output.stem}.state.safetensors"):
            for leftover in output.parent.glob(f".????????.{name}"):
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
