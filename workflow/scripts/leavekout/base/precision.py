"""The precision of matrix products."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Within the block, float32 products and convolutions use TF32 if `precision` is `tf32`.

    TF32 rounds factors to 10 bits of mantissa and sums in float32. On a CPU nothing changes.
    (PyTorch's default uses TF32 for convolutions, but not for matrix products.)
    """
    # PyTorch's older interface keeps the newer one consistent. After the newer one is set, the
    # older one cannot be read any more, and the compiler's kernels read it.
    backends: tuple[Any, Any] = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = precision == "tf32"
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


@contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Within the block, a model computes in `precision`; its weights and losses stay float32.

    float32 and tf32 are as in `products`. bfloat16 is autocast: factors and results are rounded to
    7 bits of mantissa. The cache of cast weights is off, because in a nested block it would survive
    an optimizer's step, and the model would compute with outdated weights.
    """
    enabled = precision == "bfloat16"
    with (
        products(precision),
        torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False),
    ):
        yield
