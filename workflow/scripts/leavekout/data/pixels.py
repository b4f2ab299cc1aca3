"""The pixels of all images as one array."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from leavekout.base.artifacts import atomic, create_npy


def write_pixels(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    count: int,
    size: int,
    check: Callable[[np.ndarray], None] = lambda pixels: None,
) -> None:
    """Writes images as uint8 [count, size, size, 3].

    Args:
        check: called with the memory-mapped array; may raise InputError.
    """
    with atomic(path) as temporary:
        pixels = create_npy(temporary, np.uint8, (count, size, size, 3))
        for row, image in enumerate(images):
            pixels[row] = image
        check(pixels)
        pixels.flush()
