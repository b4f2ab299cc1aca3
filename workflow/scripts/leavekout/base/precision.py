"""What matrix products are computed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Within the block, products and convolutions of float32 take TF32 if `precision` says so.

    That is: factors rounded to 10 bits of mantissa, sums in float32. On a CPU nothing changes.
    (PyTorch's own default has convolutions in TF32 and matrix products not.)
    """
    # The older of PyTorch's two interfaces: it keeps the newer one consistent, but after the newer
    # is set, the older cannot be read any more, and the compiler's kernels read it.
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

    float32 and tf32 as in `products`; bfloat16 is autocast, with factors and results rounded to 7
    bits of mantissa. Its cache of cast weights is off: within another such block it would outlive
    an optimizer's step, and the model would go on computing with the weights before it.
    """
    enabled = precision == "bfloat16"
    with (
        products(precision),
        torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False),
    ):
        yield
