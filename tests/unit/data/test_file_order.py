"""The order of an annotation file, beside ours."""

import json
from pathlib import Path

import numpy as np
import pytest

from leavekout.base.errors import InputError
from leavekout.data.coco import training_table
from leavekout.data.file_order import caption_places, image_places

IMAGES = [391895, 522418, 184613]
# (image, annotation id, caption), as they come in the file.
CAPTIONS = [
    (522418, 9, "a1"), (391895, 5, "b1"), (522418, 3, "a0"), (184613, 1, "c0"),
    (391895, 2, "b0"), (184613, 4, ""), (184613, 8, "c1"), (522418, 20, "a2"),
]  # fmt: skip


def written(path: Path, captions: list[tuple[int, int, str]]) -> Path:
    content = {
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in IMAGES],
        "annotations": [
            {"image_id": image, "id": own, "caption": text} for image, own, text in captions
        ],
    }
    path.write_text(json.dumps(content))
    return path


def test_places_lead_from_the_file_s_order_to_ours(tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", [entry for entry in CAPTIONS if entry[2]])
    table = training_table(path, images=3, captions=2)
    images, captions = image_places(path, table), caption_places(path, table)
    by_image = [[text for image, _, text in CAPTIONS if image == i and text] for i in IMAGES]
    theirs = np.array([texts[:2] for texts in by_image])  # as their code makes arrays
    found = theirs[images][np.arange(3)[:, None], captions]
    np.testing.assert_array_equal(found, np.array(table["captions"].tolist()))
    np.testing.assert_array_equal(np.array(IMAGES)[images], table["image_id"])


def test_captions_that_their_arrays_lack_are_refused(tmp_path: Path) -> None:
    with_empty = written(tmp_path / "e.json", CAPTIONS)  # takes a place in their arrays
    table = training_table(with_empty, images=3, captions=2)
    with pytest.raises(InputError, match="first 2 captions of image 184613 in the file are not"):
        caption_places(with_empty, table)
    late = written(tmp_path / "l.json", [(*CAPTIONS[0][:1], 30, "a1"), *CAPTIONS[1:]])
    with pytest.raises(InputError, match="first 2 captions of image"):
        caption_places(late, training_table(late, images=3, captions=2))


def test_annotations_of_other_images_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", CAPTIONS)
    table = training_table(path, images=3, captions=2)
    table.loc[0, "image_id"] = 7
    with pytest.raises(InputError, match=r"is not of the images of data/images.parquet"):
        image_places(path, table)
