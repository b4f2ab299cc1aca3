"""What every script does around its science: logging, threads, determinism, errors in words."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from leavekout.artifacts import provenance
from leavekout.errors import InputError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("leavekout")
T = TypeVar("T")


@contextmanager
def job(log: Sequence[str]) -> Iterator[None]:
    """Runs a script's body, logging to its file and to the terminal.

    An InputError ends the process with its one sentence and status 1; any other exception is
    a fault of ours, and its traceback goes to the log and the terminal.
    """
    formatter = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    terminal, file = logging.StreamHandler(), logging.FileHandler(log[0], "w")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [file]
    file.setFormatter(formatter)
    terminal.setFormatter(formatter)
    logger.info("provenance %s", json.dumps(dict(provenance())))  # to the file alone
    logger.handlers = [file, terminal]
    try:
        yield
    except InputError as error:
        logger.error("error: %s", error)
        sys.exit(1)
    except Exception:
        logger.exception("This is a fault of leave-K-out, not of your input:")
        sys.exit(1)


@contextmanager
def compute_job(log: Sequence[str], threads: int) -> Iterator["torch.device"]:
    """A job that computes with torch, deterministically; yields the device to use."""
    import torch  # here, because jobs that only tabulate or plot start faster without it

    # Rounding depends on the number of threads, so the rule fixes it, not the machine.
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    with job(log):
        yield torch.device("cuda" if torch.cuda.is_available() else "cpu")


def progress(
    items: Iterable[T], what: str, total: int, *, start: int = 0, every_seconds: float = 15
) -> Iterator[T]:
    """Yields `items`, and now and then logs how far the work is and how long it will take.

    Whole lines rather than a moving bar, because several jobs share one terminal.
    """
    began = last = time.monotonic()
    for done, item in enumerate(items, start=start):
        now = time.monotonic()
        if now - last > every_seconds and done > start:
            left = (now - began) / (done - start) * (total - done)
            logger.info("%s: %.0f %%, about %.0f s left", what, 100 * done / total, left)
            last = now
        yield item


def label(path: str | Path) -> str:
    """A short name for a job in the terminal: the artifact's path below results/."""
    return str(Path(path).with_suffix("")).removeprefix("results/")
