"""The pictures of a report, embedded in the page as data addresses."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from leavekout.report.collect import Ranked

SMALL = 40  # pixels a side; pictures up to this size are kept, and the browser enlarges them
SIDE = 96  # pixels a side; larger pictures are shrunk to this


@dataclass(frozen=True)
class Picture:
    """One picture: its data address, the label below it, and the caption of its tooltip."""

    data: str
    label: str
    caption: str = ""
    framed: bool = False


@dataclass(frozen=True)
class Row:
    """A named row of pictures."""

    name: str
    pictures: Sequence[Picture]


def picture(
    pixels: np.ndarray, label: str = "", caption: str = "", *, framed: bool = False
) -> Picture:
    """uint8 [H, W, 3] as PNG if it is small, else as JPEG of at most 96 pixels a side."""
    image = Image.fromarray(np.asarray(pixels))
    small = max(image.size) <= SMALL
    if not small:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kind, options = ("png", {}) if small else ("jpeg", {"quality": 80})
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **options)
    return Picture(data_address(buffer.getvalue(), kind), label, caption, framed)


def data_address(content: bytes, kind: str) -> str:
    """The content of a picture as an address that needs no file."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def figure_address(path: Path) -> str:
    """The data address of an SVG file."""
    return data_address(path.read_bytes(), "svg+xml")


def attributed_rows(
    ranked: Mapping[str, Ranked],
    pixels: np.ndarray,
    captions: Sequence[str],
    framed: Collection[int] = (),
) -> list[Row]:
    """For each method the best images, best first.

    Args:
        ranked: method → the best images; pixels: uint8 [N, H, W, 3]; captions: [N];
        framed: rows whose pictures get a frame.
    """

    def shown(row: int, place: int) -> Picture:
        return picture(pixels[row], str(place), captions[row], framed=row in framed)

    return [
        Row(method, [shown(row, place) for place, row in enumerate(best.rows, start=1)])
        for method, best in ranked.items()
    ]
