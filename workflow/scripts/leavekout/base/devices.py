"""Which GPU of a machine a job takes, where several are visible and no scheduler hands them out."""

import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 1.0
# The locks of this process; the kernel drops them when it ends, however it ends.
_held: list[int] = []


def claim_gpu(*, jobs_per_gpu: int, folder: Path | None = None) -> str | None:
    """Makes one of several visible GPUs the only one that this process sees, and keeps it.

    A job takes the GPU with the fewest jobs, and waits while all have `jobs_per_gpu`. It does
    nothing where one GPU or none is visible: then a scheduler, or the machine, has chosen. It must
    be called before CUDA starts.

    Args:
        jobs_per_gpu: jobs that may share a GPU.
        folder: where the locks are; all jobs of this user on this machine share the default.

    Returns:
        The GPU, as CUDA_VISIBLE_DEVICES names it, or None if there was nothing to choose.
    """
    gpus = visible_gpus()
    if len(gpus) < 2:
        return None
    folder = folder or Path(tempfile.gettempdir()) / f"leave-k-out-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    places = list(itertools.product(range(jobs_per_gpu), gpus))  # every GPU first has one job
    while True:
        for place, gpu in places:
            if _locked(folder / f"{gpu}.{place}"):
                os.environ[_VISIBLE] = gpu
                return gpu
        time.sleep(_POLL_SECONDS)


def visible_gpus() -> Sequence[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, or the numbers of all that the machine has."""
    if (named := os.environ.get(_VISIBLE)) is not None:
        return [gpu for name in named.split(",") if (gpu := name.strip())]
    import torch  # here, because most jobs need no GPU

    return [str(number) for number in range(torch.cuda.device_count())]  # does not start CUDA


def _locked(file: Path) -> bool:
    """Whether a lock was free, and is now this process's until it ends."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    return True
