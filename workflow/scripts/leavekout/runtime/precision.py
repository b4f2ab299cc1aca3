"""What matrix products are computed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from leavekout.config.fields import Precision


@contextmanager
def products(precision: Precision) -> Iterator[None]:
    """Within the block, products and convolutions of float32 take TF32 if `precision` says so.

    That is: factors rounded to 10 bits of mantissa, sums in float32. On a CPU nothing changes.
    (PyTorch's own default has convolutions in TF32 and matrix products not.)
    """
    cudnn: Any = torch.backends.cudnn
    # The last is not used here, but cuDNN's older flags cannot be read where the two differ.
    backends = torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within the block, a model computes in `precision`; its weights and losses stay float32.

    float32 and tf32 as in `products`; bfloat16 is autocast, with factors and results rounded to 7
    bits of mantissa.
    """
    with (
        products(precision),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        yield
