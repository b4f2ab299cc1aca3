"""Work that survives: a signal stops it where it can resume, and leftovers of the dead go."""

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


def remove_leftovers(outputs: Iterable[Path]) -> None:
    """Deletes what killed attempts at the same outputs left under temporary names.

    That is what a dead process of this machine has left, and of another machine's what nobody wrote
    to for a day, since a twin may be at work there.
    """
    for output in outputs:
        # The state of what is in the making lies beside; see `train_from_scratch` and `Rows`.
        beside = (f"{output.stem}{part}.{end}" for part in ("", ".refined") for end in _STATES)
        notes = output.parent.glob(f"{glob.escape(output.stem)}*.partial.json")
        gone_on_from = "".join(note.read_text() for note in notes)
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
