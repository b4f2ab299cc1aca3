"""The pictures of the report, as data that stand in the page itself."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from leavekout.contract.removal import NO_REMOVAL

SMALL = 40  # up to so many pixels a side a picture stands as it is, enlarged by the browser
SIDE = 96  # above, it is shrunk to this


@dataclass(frozen=True)
class Picture:
    """One picture of the page: its data, and what stands below and behind it."""

    data: str
    label: str
    caption: str = ""
    framed: bool = False


@dataclass(frozen=True)
class Row:
    """A line of pictures with a name."""

    name: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class QueryPictures:
    """One query: what was generated, what methods name, what models without it generate."""

    name: str
    prompt: str
    generated: Picture
    attributed: Sequence[Row]
    regenerated: Sequence[Row]


@dataclass(frozen=True)
class Lead:
    """One query as the report's first picture: generated, what was removed, generated again."""

    prompt: str
    method: str
    generated: Picture
    removed: Sequence[Picture]
    regenerated: Picture


def lead(gallery: Sequence[QueryPictures], method: str, label: str) -> Lead | None:
    """The first query of the gallery, by one method, if the gallery has its pictures.

    Args:
        label: of the row of models that are shown, such as `K = 100`.
    """
    for query in gallery:
        removed = [row.pictures for row in query.attributed if row.name == method]
        again = [
            one
            for row in query.regenerated
            if row.name == label
            for one in row.pictures
            if one.label == method
        ]
        if removed and again:
            return Lead(query.prompt, method, query.generated, removed[0], again[0])
    return None


def picture(
    pixels: np.ndarray, label: str = "", caption: str = "", *, framed: bool = False
) -> Picture:
    """uint8 [H, W, 3] as a data address: PNG where small, else a JPEG of at most 96 pixels."""
    image = Image.fromarray(np.asarray(pixels))
    small = max(image.size) <= SMALL
    if not small:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=80, optimize=True)
    data = data_address(buffer.getvalue(), "png" if small else "jpeg")
    return Picture(data, label, caption, framed)


def data_address(content: bytes, kind: str) -> str:
    """Bytes as an address that needs no file."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def figure_address(path: Path) -> str:
    """An SVG figure as an address."""
    return data_address(path.read_bytes(), "svg+xml")


def attributed_rows(
    ranked: Mapping[str, np.ndarray],
    pixels: np.ndarray,
    captions: Sequence[str],
    framed: Collection[int] = (),
) -> list[Row]:
    """For each method the best images, best first.

    Args:
        ranked: method → rows of the best images; pixels: uint8 [N, H, W, 3]; captions: [N];
        framed: rows that stand out by a frame.
    """
    return [
        Row(
            method,
            [
                picture(pixels[row], str(place + 1), captions[row], framed=row in framed)
                for place, row in enumerate(rows)
            ],
        )
        for method, rows in ranked.items()
    ]


def regenerated_rows(models: Mapping[str, Mapping[str, np.ndarray]]) -> list[Row]:
    """For each K the pictures of all methods' models side by side, and one row for other seeds.

    Args:
        models: method → label of the model, such as `K = 100` → picture, as `collect.py` has it.
    """
    labels = {label: None for by_label in models.values() for label in by_label}
    seeds = models.get(NO_REMOVAL, {})
    rows = [
        Row(
            label,
            [
                picture(by_label[label], method)
                for method, by_label in models.items()
                if label in by_label
            ],
        )
        for label in labels
        if label not in seeds
    ]
    others = [picture(pixels, label) for label, pixels in seeds.items()]
    return [*rows, Row("nothing removed", others)] if others else rows
