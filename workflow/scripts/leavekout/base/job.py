"""The frame of every script: logging, threads, determinism, and readable errors."""

import errno
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from leavekout.base.artifacts import provenance, set_device, set_params
from leavekout.base.devices import claim_gpu
from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import remove_leftovers

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("leavekout")
_record = logging.getLogger("leavekout.record")  # what made the artifacts, for the file alone
T = TypeVar("T")
# The oldest driver that supports a major version of CUDA (NVIDIA, CUDA Compatibility).
_DRIVERS = {"12": 525, "13": 580}
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Paths:
    """A job's input or output files as paths.

    `paths.name` and `paths["name"]` are a Path, or a list of Paths if the rule gives a list.
    `list(paths)` has all files in the rule's order.
    """

    def __init__(self, files: Any) -> None:
        self._files = files

    def __getitem__(self, key: str | int) -> Any:
        return _as_path(getattr(self._files, key) if isinstance(key, str) else self._files[key])

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __iter__(self) -> Iterator[Path]:
        return map(Path, self._files)

    def get(self, name: str) -> Any:
        """The files of a name, or None if the rule has no such name or no file for it."""
        return _as_path(self._files.get(name)) or None


def _as_path(value: Any) -> Any:
    if value is None:
        return None
    return Path(value) if isinstance(value, str) else [Path(part) for part in value]


@dataclass(frozen=True)
class Run:
    """Snakemake's object of a job, with files as paths."""

    input: Paths
    output: Paths
    params: Any
    wildcards: Any
    resources: Any

    @cached_property
    def device(self) -> "torch.device":
        """The device that the job computes on."""
        return device_of(self.resources)


@contextmanager
def job(snakemake: Any, *, computes: bool = False) -> Iterator[Run]:
    """Runs a script's body, logging to the job's log file and to the terminal.

    An InputError, a full disk and a full GPU end the process with one sentence and status 1. Any
    other exception is a bug: its traceback goes to the log and the terminal. Interrupted work ends
    with the signal's status, so that a retry resumes it.

    Args:
        snakemake: the object of that name that Snakemake gives to scripts.
        computes: whether the job computes on a device, which its log and artifacts record.
    """
    formatter = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    terminal, file = logging.StreamHandler(), logging.FileHandler(snakemake.log[0], "a")
    logging.raiseExceptions = False  # on a full disk, the job continues without its log
    logger.handlers, _record.handlers = [file, terminal], [file]
    for one in (logger, _record):
        one.setLevel(logging.INFO)
        one.propagate = False
    file.setFormatter(formatter)
    terminal.setFormatter(formatter)
    params = dict(snakemake.params.items())
    set_params(params)
    try:
        output = Paths(snakemake.output)
        remove_leftovers(output)
        settings = snakemake.params, snakemake.wildcards, snakemake.resources
        run = Run(Paths(snakemake.input), output, *settings)
        if computes:
            set_device(device_name(run.device))
        _record.info("%s", json.dumps({**provenance(), "params": params}))
        yield run
    except InputError as error:
        logger.error("error: %s", error)
        sys.exit(1)
    except Interrupted as interruption:
        logger.error("%s", interruption)
        sys.exit(128 + interruption.signal_number)
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":
            logger.error(
                "error: the GPU's memory is full; lower 'device_data_gb' or the batch sizes in "
                "'hardware'."
            )
        elif isinstance(error, OSError) and error.errno in _DISK_FULL:
            logger.error("error: %s: the disk is full (%s).", error.filename, error.strerror)
        else:
            logger.exception("Internal error; please report it:")
        sys.exit(1)
    finally:
        file.close()


@contextmanager
def compute_job(snakemake: Any) -> Iterator[Run]:
    """A job that computes with torch, deterministically, on `run.device`."""
    import torch  # here, because jobs that only tabulate or plot start faster without it

    # Rounding depends on the number of threads, so the rule sets it.
    torch.set_num_threads(snakemake.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory with NaN costs time and only finds bugs.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    from leavekout.base.precision import products

    with job(snakemake, computes=True) as run, products("float32"):
        yield run


def device_of(resources: Any) -> "torch.device":
    """A GPU if the rule's resource `on_gpu` asks for one, else the CPU.

    (`gpu` and `gres` are requests to the cluster, and profiles may change them.)

    Raises:
        InputError: the rule asks for a GPU, and PyTorch can use none. The CPU would take days.
    """
    import torch

    if not resources.get("on_gpu", 0):
        return torch.device("cpu")
    if gpu := claim_gpu(jobs_per_gpu=resources.get("jobs_per_gpu", 1)):
        logger.info("On GPU %s of this machine.", gpu)
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split(". ")[0].splitlines()[0].rstrip(".")
        raise InputError(
            f"this job asks for a GPU, but PyTorch {torch.__version__} can use none on "
            f"{platform.node()}: {reason}. This PyTorch {_needed_driver(torch.version.cuda)}. "
            "Set 'hardware.gpus' to 0 to compute on the CPU."
        ) from None
    return torch.device("cuda")


def _needed_driver(cuda: str | None) -> str:
    """What a build of PyTorch needs, after "This PyTorch ", and how to get another."""
    if not cuda:
        return "is built without CUDA"
    major = cuda.split(".")[0]
    text = f"is built for CUDA {cuda}"
    if major in _DRIVERS:
        text += f", which needs a driver of version {_DRIVERS[major]} or newer"
    if major != "12":
        text += f"; for one from {_DRIVERS['12']} on, run: make setup CUDA=12"
    return text


def device_name(device: "torch.device") -> str:
    """The GPU's model, or `cpu`."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def progress(
    items: Iterable[T], what: str, total: int, *, start: int = 0, every_seconds: float = 15
) -> Iterator[T]:
    """Yields `items`, and regularly logs the share that is done and the time left.

    It prints lines rather than a moving bar, because several jobs share one terminal.
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
    """A short name for a job: the artifact's path below results/."""
    return str(Path(path).with_suffix("")).removeprefix("results/")
