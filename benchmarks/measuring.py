"""How a benchmark measures a step: its rate, its operations, its memory."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from leavekout.base.precision import arithmetic
from leavekout.config.fields import Precision


@dataclass
class Step:
    """One thing that is timed.

    Args:
        run: does `samples` samples, and returns what to compare, or None.
        flop: of a sample, counted in a first run.
        rates, memory_mb: of each round.
    """

    name: str
    run: Callable[[], Any]
    samples: int
    flop: float = 0.0
    rates: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def matrix_rate(precision: Precision, device: torch.device) -> float:
    """FLOP a second of a large matrix product, the best of five."""
    n = 8192 if device.type == "cuda" else 2048
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    with arithmetic(precision, device):
        for _ in range(5):
            wait(device)
            began = time.perf_counter()
            a @ b
            wait(device)
            best = max(best, 2 * n**3 / (time.perf_counter() - began))
    return best


def once(step: Step, device: torch.device) -> Any:
    """Runs a step and notes its rate (training notes its own) and the peak of memory."""
    rates = len(step.rates)
    reset_peak(device)
    wait(device)
    began = time.perf_counter()
    result = step.run()
    wait(device)
    if len(step.rates) == rates:
        step.rates.append(step.samples / (time.perf_counter() - began))
    step.memory_mb.append(peak_mb(device))
    return result


def reset_peak(device: torch.device) -> None:
    """Forgets the peak of memory so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """The peak of the GPU's memory, or of the process's."""
    if device.type == "cuda":
        return 1e-6 * torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024e-6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6


def counted(step: Step) -> Any:
    """A first run, whose operations are counted and whose time is not taken."""
    if step.name.startswith("training"):
        return None  # a forward pass counted, and twice as much backward; see main
    with FlopCounterMode(display=False) as counter:
        result = step.run()
    step.flop = counter.get_total_flops() / step.samples
    return result


def difference(ours: Any, other: Any) -> float:
    """The largest difference, relative to the largest value."""
    if isinstance(ours, dict):
        return max(difference(ours[name], other[name]) for name in ours)
    a, b = (np.asarray(x.cpu() if isinstance(x, Tensor) else x) for x in (ours, other))
    return float(np.abs(a[: len(b)] - b).max() / np.abs(b).max())
