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
    """Writes uint8 [count, size, size, 3] from images of that size, one after another.

    Args:
        check: sees the whole array, memory-mapped, and refuses it by an InputError.
    """
    with atomic(path) as temporary:
        pixels = create_npy(temporary, np.uint8, (count, size, size, 3))
        for row, image in enumerate(images):
            pixels[row] = image
        check(pixels)
        pixels.flush()
