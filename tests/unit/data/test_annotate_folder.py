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
    with pytest.raises(InputError, match=r"none.txt: there is no such file"):
        annotate(folder, folder / "none.txt")
    (folder / "a.txt").write_text("\n")
    with pytest.raises(InputError, match=r"a.txt: the text file is empty"):
        annotate(folder, prompts)
    with pytest.raises(InputError, match="has no pictures"):
        annotate(folder.parent, prompts)


def test_lines_of_odd_files_are_captions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\ufeffa red\u2028square\x0c on white\r\nred"
    (folder / "a.txt").write_text(text, encoding="utf-8")
    for name in ("._a.jpg", ".DS_Store", "notes.pdf"):
        (folder / name).write_text("x")
    (folder / "more").mkdir()
    prompts = folder.parent / "prompts.txt"
    prompts.write_text("\ufeffred\n", encoding="utf-8")
    annotate(folder, prompts)
    said = capsys.readouterr().err
    assert "Left out: '.DS_Store', '._a.jpg', 'more' and 1 more" in said
    assert "Not used: 1 captions, since as many of each picture are used as 'b.txt' has, " in said
    assert coco.prompts(folder.parent / "prompts.json") == ["red"]
    table = coco.training_table(folder.parent / "annotations.json", images=2, captions=1)
    assert table["captions"].tolist() == [["a red square  on white"], ["a blue square"]]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_captions_in_another_encoding_are_refused(folder: Path, encoding: str) -> None:
    (folder / "a.txt").write_text("un café", encoding=encoding)
    with pytest.raises(InputError, match=r"a.txt: not a complete text file in UTF-8"):
        annotate(folder, folder.parent / "prompts.txt")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["bad.png", "bad.txt"], "1 pictures cannot be read: 'bad.png'"),
        (["a.png"], r"2 pictures share a text file with another; rename them: 'a.jpg', 'a.png'"),
        ([f"{i}.png" for i in range(5)], r"5 pictures have no text file: '0.txt', .* and 2 more"),
    ],
)
def test_bad_pictures_are_counted(folder: Path, names: list[str], message: str) -> None:
    for name in names:
        (folder / name).write_text("text")
    with pytest.raises(InputError, match=message):
        annotate(folder, folder.parent / "prompts.txt")
