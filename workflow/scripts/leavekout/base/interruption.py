"""Stops on signals where work can resume, and removes what killed processes left behind."""

import glob
import os
import platform
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

# A cluster's cancellation or preemption, its warning before the time limit, and Ctrl-C.
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_STATES = ("state.safetensors", "partial.npy", "partial.json")
_DAY_SECONDS = 86_400


class StopRequest:
    """Holds the signal that asked this process to stop, or None."""

    by: signal.Signals | None = None


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Within the block, records a signal to stop. The work checks for it where it can stop.

    Use it in the main thread only, because other threads cannot handle signals.
    """
    request = StopRequest()

    def record(number: int, frame: FrameType | None) -> None:
        request.by = signal.Signals(number)

    before = {number: signal.signal(number, record) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def remove_leftovers(outputs: Iterable[Path]) -> None:
    """Deletes the temporary files of killed attempts at the same outputs.

    A file of this machine is deleted if its process is dead. A file of another machine is deleted
    after a day without changes, because a process there may still write to it.
    """
    for output in outputs:
        # Names of saved states; see `Checkpoint` and `Rows`.
        states = (f"{output.stem}{part}.{end}" for part in ("", ".refined") for end in _STATES)
        notes = output.parent.glob(f"{glob.escape(output.stem)}*.partial.json")
        resumable = "".join(note.read_text() for note in notes)
        for name in (output.name, *states):
            for leftover in output.parent.glob(f".*~*~*~{glob.escape(name)}"):
                if leftover.name not in resumable and _is_dead(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
                    leftover.unlink(missing_ok=True)


def _is_dead(temporary: Path) -> bool:
    """Whether the writer of a file or folder named by `artifacts.temporary_beside` is gone."""
    host, pid, _ = temporary.name[1:].split("~", 2)
    if host == platform.node() and pid.isdecimal():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # alive, but another user's
            return False
    try:
        return time.time() - temporary.stat().st_mtime > _DAY_SECONDS
    except FileNotFoundError:
        return False
