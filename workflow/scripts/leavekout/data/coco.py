"""Reads and writes image-caption pairs in COCO's folder and annotation format."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from leavekout.base.artifacts import atomic, load_table
from leavekout.base.errors import InputError
from leavekout.base.job import progress


def read_annotations(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads the tables `images` (id, file_name) and `annotations` (id, image_id, caption).

    Captions are stripped and ordered by id; empty ones are dropped.
    """
    try:
        content = json.loads(path.read_text())
        images = pd.DataFrame(content["images"], columns=["id", "file_name"])
        captions = pd.DataFrame(content["annotations"], columns=["id", "image_id", "caption"])
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such annotation file.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not complete JSON ({error}).") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not COCO captions; the keys 'images' and 'annotations' are needed ({error})."
        ) from error
    captions = captions.dropna(subset=["caption"])
    captions["caption"] = captions["caption"].astype(str).str.strip()
    return images, captions[captions["caption"] != ""].sort_values("id")


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


def training_table(annotations: Path, *, images: int | None, captions: int) -> pd.DataFrame:
    """One row for each training image: image_id, file_name, captions (a list of strings).

    Rows are ordered by image id, as in all arrays over images. The first `captions` captions by
    annotation id are kept.

    Raises:
        InputError: another number of images than `images` (None: any), a repeated image id or file
            name, or an image with too few captions.
    """
    table, texts = read_annotations(annotations)
    ids, names = table["id"], table["file_name"]
    if images is not None and len(table) != images:
        raise InputError(
            f"{annotations}: holds {len(table):,} images, but 'dataset.images' is {images:,}."
        )
    if ids.duplicated().any():
        raise InputError(f"{annotations}: image id {ids[ids.duplicated()].iloc[0]} is repeated.")
    if not pd.api.types.is_integer_dtype(ids) or not ids.between(0, 2**32 - 1).all():
        raise InputError(f"{annotations}: image ids must be whole numbers from 0 to 2^32 - 1.")
    if names.isna().any():
        raise InputError(f"{annotations}: image {ids[names.isna()].iloc[0]} has no 'file_name'.")
    if names.duplicated().any():
        raise InputError(
            f"{annotations}: two images have the file name '{names[names.duplicated()].iloc[0]}'; "
            "every file may be listed once."
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


def prompts(annotations: Path) -> list[str]:
    """The distinct captions of an annotation file, in the order of their annotation ids."""
    _, texts = read_annotations(annotations)
    return list(dict.fromkeys(texts["caption"]))


def held_out_prompts(annotations: Path, images: Path) -> list[str]:
    """The captions of an annotation file that no training image has.

    Args:
        images: the table of the training images, `data/images.parquet`.
    """
    known = {caption for texts in load_table(images)["captions"] for caption in texts}
    return [prompt for prompt in prompts(annotations) if prompt not in known]


def read_image(path: Path, size: int, background: str) -> np.ndarray:
    """One image, upright, centre-cropped to a square and resized: uint8 [size, size, 3].

    Args:
        background: the colour behind transparent parts, as a name or code of Pillow.

    Raises:
        InputError: the file is missing, is not a complete image, or has a mode of unknown range.
    """
    try:
        with Image.open(path) as file:
            image = _as_rgb(ImageOps.exif_transpose(file), background)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such image.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(f"{path}: not a readable image ({error}).") from error
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))


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


def read_images(
    folder: Path, file_names: list[str], size: int, background: str
) -> Iterator[np.ndarray]:
    """The images of the training table, in its order; see `read_image`."""
    for name in progress(file_names, "reading images", total=len(file_names)):
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InputError(f"{path}: the file name leaves the image folder.")
        yield read_image(path, size, background)
