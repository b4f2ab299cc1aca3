"""Sheets: the pictures of one query in one file, of which a page shows parts."""

import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from leavekout.report.gallery import SMALL, data_address

SIDE = 128  # pixels; larger pictures are shrunk to this
EMBEDDED = 30_000_000  # bytes; a page with more pictures has them in a folder beside it

Sheet = tuple[bytes, str]  # content of a file, and its format


def sheet(pictures: Mapping[tuple[int, int], np.ndarray], lines: int, columns: int) -> Sheet:
    """A grid of square places: PNG if the pictures are small, else JPEG.

    Args:
        pictures: (line, column) → uint8 [H, W, 3]; other places stay white.
    """
    side = min(SIDE, max((max(one.shape[:2]) for one in pictures.values()), default=1))
    image = Image.new("RGB", (columns * side, lines * side), "white")
    for (line, column), picture in pictures.items():
        place = ImageOps.pad(Image.fromarray(np.asarray(picture)), (side, side), color="white")
        image.paste(place, (column * side, line * side))
    kind, options = ("png", {}) if side <= SMALL else ("jpeg", {"quality": 80})
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **options)
    return buffer.getvalue(), kind


def addresses(sheets: Mapping[str, Sheet], folder: Path) -> dict[str, str]:
    """The address of each sheet: its data, or a file in `folder`, which is beside the page.

    This is the one place that decides whether a page contains its pictures.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if sum(len(content) for content, _ in sheets.values()) <= EMBEDDED:
        return {name: data_address(*one) for name, one in sheets.items()}
    folder.mkdir()
    for name, (content, kind) in sheets.items():
        (folder / f"{name}.{kind}").write_bytes(content)
    return {name: f"{folder.name}/{name}.{kind}" for name, (_, kind) in sheets.items()}
