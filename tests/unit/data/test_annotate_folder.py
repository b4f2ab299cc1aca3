"""A folder of captioned pictures becomes a data set."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from annotate_folder import annotate
from leavekout.base.errors import InputError
from leavekout.data import coco


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, captions in (("b.PNG", "a blue square\n"), ("a.jpg", "red\n\n  a red square \n")):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / name)
        (folder / name).with_suffix(".txt").write_text(captions)
    (tmp_path / "prompts.txt").write_text("a green square\nred\n")
    return folder


def test_an_annotated_folder_can_be_read(folder: Path) -> None:
    section = yaml.safe_load(annotate(folder, folder.parent / "prompts.txt"))["dataset"]
    root = Path(section["root"])
    table = coco.training_table(
        root / section["train_annotations"],
        images=section["images"],
        captions=section["captions"],
    )
    assert table["file_name"].tolist() == ["a.jpg", "b.PNG"]
    assert table["captions"].tolist() == [["red"], ["a blue square"]]
    assert coco.prompts(root / section["prompt_annotations"]) == ["a green square", "red"]
    assert len(list(coco.read_images(folder, table["file_name"].tolist(), 2, "white"))) == 2


def test_missing_files_are_refused(folder: Path) -> None:
    prompts = folder.parent / "prompts.txt"
    with pytest.raises(InputError, match="there is no such folder"):
        annotate(folder / "images", prompts)
    with pytest.raises(InputError, match=r"none.txt: there is no such text file"):
        annotate(folder, folder / "none.txt")
    (folder / "a.txt").write_text("\n")
    with pytest.raises(InputError, match=r"a.txt: the text file is empty"):
        annotate(folder, prompts)
    with pytest.raises(InputError, match="has no pictures"):
        annotate(folder.parent, prompts)
