"""Reads and writes image-caption pairs in COCO's folder and annotation format."""

import hashlib
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from os.path import normpath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from leavekout.base.artifacts import atomic, load_json, load_table, reading
from leavekout.base.errors import InputError, first_few
from leavekout.base.job import progress

logger = logging.getLogger("leavekout")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, which no file can hold


def read_annotations(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads the tables `images` (id, file_name) and `annotations` (id, image_id, caption).

    Captions are stripped and ordered by id, or as in the file if none has an id; empty ones are
    dropped.

    Raises:
        InputError: names the first image or annotation that is malformed.
    """
    content = load_json(path)
    for key in ("images", "annotations"):
        entries = content.get(key)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise InputError(
                f"{path}: not COCO captions; the keys 'images' and 'annotations' are needed, each "
                "with a list of objects { }."
            )
    images = [_read_image_entry(path, entry) for entry in content["images"]]
    annotations = content["annotations"]
    has_ids = any("id" in entry for entry in annotations)
    captions = [
        _read_caption(path, entry, None if has_ids else number)
        for number, entry in enumerate(annotations)
    ]
    if captions and not any("caption" in entry for entry in annotations):
        raise InputError(f"{path}: no annotation has a 'caption'; use COCO's file of captions.")
    ordered = sorted((c for c in captions if c[2]), key=itemgetter(0))
    return (
        pd.DataFrame(images, columns=["id", "file_name"]),
        pd.DataFrame(ordered, columns=["id", "image_id", "caption"]),
    )


def places_of_captions(path: Path) -> dict[int, list[int]]:
    """By image id, the places of its captions, ordered as `read_annotations` orders captions.

    A place counts the image's annotations in the file before it, also those without text.
    """
    content = load_json(path)
    has_ids = any("id" in entry for entry in content["annotations"])
    seen: dict[int, int] = {}
    found: dict[int, list[tuple[int, int]]] = {}
    for number, entry in enumerate(content["annotations"]):
        own, image, caption = _read_caption(path, entry, None if has_ids else number)
        if caption:
            found.setdefault(image, []).append((own, seen.get(image, 0)))
        seen[image] = seen.get(image, 0) + 1
    return {image: [place for _, place in sorted(own)] for image, own in found.items()}


def _read_image_entry(path: Path, entry: dict[str, Any]) -> tuple[int, str]:
    """Id and file name of an entry of `images`."""
    image = _whole(path, "image ids", entry.get("id"))
    name = entry.get("file_name")
    if name is None or name == "":
        raise InputError(f"{path}: image {image} has no 'file_name'.")
    if not is_text(name):
        raise InputError(
            f"{path}: the 'file_name' of image {image} is not plain text: {name!r:.80}."
        )
    return image, name


def _read_caption(path: Path, entry: dict[str, Any], number: int | None) -> tuple[int, int, str]:
    """Id, or `number`, image id and stripped caption, or "", of an entry of `annotations`."""
    own = _whole(path, "annotation ids", entry.get("id")) if number is None else number
    image = _whole(path, "the annotations' image ids", entry.get("image_id"))
    caption = entry.get("caption")
    if caption is None or caption != caption:  # NaN, as pandas writes missing values
        return own, image, ""
    if not is_text(caption):
        raise InputError(
            f"{path}: the caption of annotation {own} is not plain text: {caption!r:.80}; write "
            "one annotation for each caption."
        )
    return own, image, caption.replace("\ufeff", "").strip()


def _whole(path: Path, what: str, value: Any) -> int:
    """An id as a whole number, which 1.0 is as well, but no text: as text, 10 is before 9."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    raise InputError(f"{path}: {what} must be whole numbers, but one is {value!r:.80}.")


def is_text(value: object) -> bool:
    """Whether a value is text that can be written to any file: without NULs or half characters."""
    return isinstance(value, str) and "\0" not in value and not _SURROGATE.search(value)


def write_annotations(
    path: Path, images: list[dict[str, Any]], captions: list[tuple[int, str]]
) -> None:
    """Writes captions, each with its image's id, in COCO's format."""
    annotations = [
        {"id": number, "image_id": image, "caption": text}
        for number, (image, text) in enumerate(captions)
    ]
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({"images": images, "annotations": annotations}))


def training_table(
    annotations: Path, *, images: int | None, captions: int, subset_seed: int | None = None
) -> pd.DataFrame:
    """One row for each training image: image_id, file_name, captions (a list of strings).

    Rows are ordered by image id, as in all arrays over images. The first `captions` captions by
    annotation id are kept.

    Args:
        subset_seed: draws `images` of the images listed; None takes all.

    Raises:
        InputError: another number of images than `images` (None: any), a repeated image id or file
            name, or an image with too few captions.
    """
    table, texts = read_annotations(annotations)
    if subset_seed is not None and images is not None:
        table = _subset(annotations, table, images, subset_seed)
    ids, names = table["id"], table["file_name"]
    if images is not None and len(table) != images:
        raise InputError(
            f"{annotations}: holds {len(table):,} images, but 'dataset.images' is {images:,}."
        )
    if not len(table):
        raise InputError(f"{annotations}: lists no images.")
    if ids.duplicated().any():
        raise InputError(f"{annotations}: image id {ids[ids.duplicated()].iloc[0]} is repeated.")
    if not pd.api.types.is_integer_dtype(ids) or not ids.between(0, 2**32 - 1).all():
        raise InputError(f"{annotations}: image ids must be whole numbers from 0 to 2^32 - 1.")
    twice = names[names.map(normpath).duplicated()]  # ./a.jpg is a.jpg
    if len(twice):
        raise InputError(
            f"{annotations}: two images have the file name '{twice.iloc[0]}'; every file may be "
            "listed once."
        )
    grouped = texts.groupby("image_id")["caption"].apply(list)
    table = table.rename(columns={"id": "image_id"}).sort_values("image_id", ignore_index=True)
    lists = [grouped.get(image, []) for image in table["image_id"]]
    few = [row for row, texts in enumerate(lists) if len(texts) < captions]
    if few:
        raise InputError(
            f"{annotations}: {len(few):,} images have fewer than 'dataset.captions' = {captions} "
            f"captions; image {table['image_id'][few[0]]} has {len(lists[few[0]])}."
        )
    table["captions"] = [texts[:captions] for texts in lists]
    return table


def _subset(annotations: Path, table: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """The `count` images whose ids have the smallest hashes with the seed."""
    if count > len(table):
        raise InputError(
            f"{annotations}: holds {len(table):,} images, fewer than the {count:,} to be drawn "
            "('dataset.images')."
        )
    keys = [hashlib.sha256(f"{seed} {image}".encode()).hexdigest() for image in table["id"]]
    return table.iloc[np.argsort(np.array(keys), kind="stable")[:count]]


def prompts(annotations: Path) -> list[str]:
    """The distinct captions of an annotation file, in the order of their annotation ids."""
    _, texts = read_annotations(annotations)
    return list(dict.fromkeys(texts["caption"]))


def held_out_prompts(
    annotations: Path, images: Path, readings: Callable[[Sequence[str]], Sequence[Hashable]]
) -> list[str]:
    """The captions of an annotation file that no training image has.

    Captions are the same if the text encoder reads the same of them. The first of these is kept.

    Args:
        images: the table of the training images, `data/images.parquet`.
        readings: what is read of each text, such as its tokens.
    """
    captions = [caption for texts in load_table(images)["captions"] for caption in texts]
    known = set(readings(list(set(captions))))
    found: dict[Hashable, str] = {}
    texts = prompts(annotations)
    for read, prompt in zip(readings(texts), texts, strict=True):
        if read not in known:
            found.setdefault(read, prompt)
    return list(found.values())


def read_image(path: Path, size: int, background: str) -> np.ndarray:
    """One image, upright, centre-cropped to a square and resized: uint8 [size, size, 3].

    Args:
        background: the colour behind transparent parts, as a name or code of Pillow.

    Raises:
        InputError: the file is missing, is not a complete image, or has a mode of unknown range.
    """
    with _reading(path):
        image = _upright(path, background)
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side))
        return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))


def shorter_side(path: Path) -> int:
    """The shorter side of an image in pixels, which is read as a whole; raises as `read_image`."""
    with _reading(path):
        return min(_upright(path, "white").size)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    # Pillow's formats raise almost anything for broken files, and an Exception for huge ones.
    advice = "mend it, scale it down, or take it out of the data set"
    with _naming(path), reading(path, "picture", Exception, advice=advice):
        yield


def _upright(path: Path, background: str) -> Image.Image:
    with Image.open(path) as file:
        return _as_rgb(ImageOps.exif_transpose(file), background)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Logs Pillow's warnings with the picture's name, such as that its EXIF data is damaged."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a large one is no harm
        yield
    for message in dict.fromkeys(str(warning.message).strip() for warning in found):
        logger.warning("%s: %s", path, message)


def _as_rgb(image: Image.Image, background: str) -> Image.Image:
    """Converts to three channels of 8 bits, with the background behind transparent parts."""
    if image.mode.startswith("I;16") and not image.has_transparency_data:
        # Values are 0 to 65,535; Pillow's own conversion clips them at 255.
        grey = np.round(np.asarray(image, np.float64) / 257).astype(np.uint8)
        image = Image.fromarray(grey)
    elif image.mode.startswith(("I", "F")):
        raise OSError(f"Pillow's mode '{image.mode}', whose black and white are not known")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        under = Image.new("RGBA", over.size, background)
        return Image.alpha_composite(under, over).convert("RGB")
    return image.convert("RGB")


def require_inside(folder: Path, file_names: Sequence[str]) -> None:
    """Rejects file names that are outside of the image folder."""
    outside = [n for n in file_names if Path(n).is_absolute() or ".." in Path(n).parts]
    if outside:
        raise InputError(f"{folder}: files are outside of the image folder: {first_few(outside)}.")


def read_images(
    folder: Path, file_names: list[str], size: int, background: str
) -> Iterator[np.ndarray]:
    """The images of the training table, in its order; see `read_image`.

    Raises:
        InputError: files are missing or outside of the folder; counts them and names the first.
    """
    require_inside(folder, file_names)
    missing = [name for name in file_names if not os.path.exists(folder / name)]
    if missing:
        raise InputError(
            f"{folder}: {len(missing):,} of {len(file_names):,} images are missing: "
            f"{first_few(missing)}."
        )
    for name in progress(file_names, "reading images", total=len(file_names)):
        yield read_image(folder / name, size, background)
