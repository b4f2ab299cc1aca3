"""Captioned pictures are read in each format, and odd folders are refused in one sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leavekout.base.errors import InputError
from leavekout.data.captioned import load_lines, read_captioned
from shapes import FORMATS, drawing, png, write_shapes

COUNT = 24


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_gives_the_same_pictures_with_their_captions(form: str, tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "shapes", form, COUNT)
    found = read_captioned(folder, tmp_path / "unpacked")
    assert (len(found.captions), found.side, found.left_out) == (COUNT, 40, [])
    by_pixels = {np.asarray(drawing(n)[0]).tobytes(): drawing(n)[1] for n in range(COUNT)}
    for name, captions in found.captions.items():
        with Image.open(found.folder / name) as file:
            caption = by_pixels[np.asarray(file).tobytes()]
        if form == "classes":
            shape = caption.split(",")[0].split()[-1]
            assert captions == [f"a picture of {shape}", shape, f"one {shape}"]
            assert Path(name).parts[0] == shape
        else:
            assert captions == [caption]
    assert len(found.prompts) == (8 if form == "classes" else 0)
    used = {text for own in found.captions.values() for text in own}
    assert not used & set(found.prompts)


def test_a_data_set_with_a_part_for_training_is_read_as_that_part(tmp_path: Path) -> None:
    write_shapes(tmp_path / "train", "text", COUNT)
    write_shapes(tmp_path / "test", "text", 3)
    assert len(read_captioned(tmp_path, tmp_path / "no").captions) == COUNT


def test_several_rows_and_lines_are_several_captions(tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "shapes", "csv", COUNT)
    with open(folder / "captions.csv", "a") as file:
        file.write('0000.png,"again, red"\n')
    found = read_captioned(folder, tmp_path / "no")
    assert found.captions["0000.png"] == ["a red circle, number 0", "again, red"]
    folder = write_shapes(tmp_path / "text", "text", COUNT)
    text = "\ufeffa red\u2028square\x0c on white\r\n\nred"
    (folder / "0000.txt").write_text(text, encoding="utf-8")
    for name in ("._a.jpg", ".DS_Store", "notes.pdf"):
        (folder / name).write_text("x")
    found = read_captioned(folder, tmp_path / "no")
    assert found.captions["0000.png"] == ["a red square  on white", "red"]
    assert found.left_out == ["notes.pdf"]


def _one(folder: Path) -> None:
    for path in sorted(folder.glob("*"))[2:]:
        path.unlink()


def _mixed(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,text\n0000.png,a\n")


def _absent(folder: Path) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "metadata.csv").write_text("file_name,text\n0000.png,a\nnone.png,b\n")


def _unnamed(folder: Path) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "captions.csv").write_text("a;b\n0000.png;a\n")


def _emptied(pattern: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return change


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (_emptied("*"), r"shapes: has no pictures\.$"),
    "one picture": (_one, "1 picture is too few for a study; at least 20 are needed"),
    "no captions": (
        _emptied("*.txt"),
        "the pictures have no captions; write a text file beside each",
    ),
    "one without": (_emptied("0003.txt"), "1 pictures have no caption: '0003.png'"),
    "empty text": (
        lambda f: (f / "0003.txt").write_text("\n"),
        r"0003.txt: the text file is empty",
    ),
    "not text": (lambda f: (f / "0003.txt").write_bytes(b"\xff\xfe"), "0003.txt: not a complete"),
    "unreadable": (
        lambda f: (f / "0003.png").write_bytes(png(3)[:90]),
        "1 pictures cannot be read: '0003.png'",
    ),
    "two of one name": (
        lambda f: Image.new("RGB", (40, 40)).save(f / "0003.jpg"),
        "2 pictures share their name with another; rename them: '0003.jpg', '0003.png'",
    ),
    "absent picture": (
        _absent,
        "1 pictures have captions in a table and are not there: 'none.png'",
    ),
    "mixed": (_mixed, r"several formats \(tables of captions and text files beside pictures\)"),
    "no column": (_unnamed, "no column holds a picture's file name; name it 'file_name'"),
    "no folder": (shutil.rmtree, "there is no such folder"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_folders_get_one_sentence(case: str, tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "shapes", "text", COUNT)
    change, message = ODD[case]
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        read_captioned(folder, tmp_path / "unpacked")
    assert "\n" not in str(caught.value)


def test_damaged_containers_are_refused(tmp_path: Path) -> None:
    for form, damaged in (("webdataset", "shard-0.tar"), ("embedded", "data")):
        folder = write_shapes(tmp_path / form, form, COUNT)
        path = folder / damaged
        path = next(path.glob("*")) if path.is_dir() else path
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(InputError, match=path.name):
            read_captioned(folder, tmp_path / "unpacked" / form)


def test_a_text_file_with_null_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\0b")
    with pytest.raises(InputError, match=r"a.txt: not a complete text file in UTF-8"):
        load_lines(tmp_path / "a.txt")
