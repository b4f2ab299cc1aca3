"""The order of images and captions in an annotation file, in which others keep their arrays."""

from pathlib import Path

import numpy as np
import pandas as pd

from leavekout.base.artifacts import load_json
from leavekout.base.errors import InputError
from leavekout.data.coco import places_of_captions


def image_places(annotations: Path, table: pd.DataFrame) -> np.ndarray:
    """The place of each of our images in the annotation file's list: int64 [N].

    Args:
        table: our images in our order, with `image_id`.

    Raises:
        InputError: the file is of other images.
    """
    listed = pd.Index([int(entry["id"]) for entry in load_json(annotations)["images"]])
    places = listed.get_indexer(pd.Index(table["image_id"]))
    if len(listed) != len(table) or (places < 0).any():
        raise InputError(f"{annotations}: is not of the images of data/images.parquet.")
    return places.astype(np.int64)


def caption_places(annotations: Path, table: pd.DataFrame) -> np.ndarray:
    """The place of each of our captions among its image's in the annotation file: int64 [N, C].

    Args:
        table: our images in our order, with `image_id` and C `captions` each.

    Raises:
        InputError: an image's first C captions in the file are others than our C, which are the
            first by annotation id.
    """
    count = len(table["captions"].iloc[0])
    by_image = places_of_captions(annotations)
    places = np.array([by_image[image][:count] for image in table["image_id"]], np.int64)
    beyond = np.flatnonzero((places >= count).any(axis=1))
    if len(beyond):
        raise InputError(
            f"{annotations}: the first {count} captions of image "
            f"{table['image_id'].iloc[beyond[0]]} in the file are not its first by annotation id, "
            "so text states in the file's order lack some of ours; set 'published.text' to null."
        )
    return places
