"""Writes COCO's annotations for a folder of captioned pictures.

    python workflow/scripts/annotate_folder.py my-pictures/images --prompts my-pictures/prompts.txt

Each picture `name.png` needs a text file `name.txt` beside it, with one caption per line. Queries
are generated from the prompts, one per line. A prompt that is also a caption is never used.
The files annotations.json and prompts.json are written beside the folder.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import yaml
from PIL import Image

from leavekout.base.artifacts import reading
from leavekout.base.errors import InputError, first_few
from leavekout.data.coco import is_text, read_image, write_annotations


def lines_of(path: Path) -> list[str]:
    """The non-empty lines of a text file; raises InputError if there are none.

    Only line breaks of text editors end a line. Others (U+2028, form feeds) become blanks.
    """
    with reading(path, "text file in UTF-8", UnicodeDecodeError, advice="save it as UTF-8"):
        text = path.read_text(encoding="utf-8-sig").replace("\ufeff", "")
        if not is_text(text):
            raise UnicodeError("it holds NUL bytes")
    lines = [" ".join(line.splitlines()).strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path}: the text file is empty.")
    return lines


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name.

    Raises:
        InputError: there are none, or one cannot be read, or has no text file of its own.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    Image.init()
    endings = {end for end, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    with reading(folder, "folder"):
        files = sorted(path for path in folder.iterdir() if path.is_file())
    pictures = [p for p in files if p.suffix.lower() in endings and not p.name.startswith(".")]
    if not pictures:
        raise InputError(f"{folder}: the folder has no pictures; folders in it are not searched.")
    texts = Counter(picture.with_suffix(".txt") for picture in pictures)
    _refuse(folder, "pictures have no text file", [t.name for t in texts if not t.is_file()])
    shared = [p.name for p in pictures if texts[p.with_suffix(".txt")] > 1]
    _refuse(folder, "pictures share a text file with another; rename them", shared)
    _refuse(
        folder, "file names are not in UTF-8", [p.name for p in pictures if not is_text(p.name)]
    )
    _refuse(folder, "pictures cannot be read", [p.name for p in pictures if not _is_readable(p)])
    return pictures


def _refuse(folder: Path, what: str, names: list[str]) -> None:
    """Raises InputError that counts files and names the first."""
    if names:
        shown = first_few(names).encode("utf-8", "replace").decode()
        raise InputError(f"{folder}: {len(names):,} {what}: {shown}.")


def _is_readable(picture: Path) -> bool:
    try:
        read_image(picture, 1, "white")
    except InputError:
        return False
    return True


def left_out(folder: Path, pictures: list[Path]) -> list[str]:
    """What a folder holds besides pictures and their captions."""
    used = {path.name for p in pictures for path in (p, p.with_suffix(".txt"))}
    return sorted(path.name for path in folder.iterdir() if path.name not in used)


def annotate(folder: Path, prompts: Path) -> str:
    """Writes both annotation files; returns the section `dataset` of a configuration, as YAML."""
    pictures = pictures_in(folder)
    if others := left_out(folder, pictures):
        print(f"Left out: {first_few(others)}.", file=sys.stderr)
    captions = [lines_of(picture.with_suffix(".txt")) for picture in pictures]
    least = min(map(len, captions))
    if more := sum(map(len, captions)) - least * len(captions):
        fewest = next(p for p, own in zip(pictures, captions, strict=True) if len(own) == least)
        print(
            f"Not used: {more:,} captions, since as many of each picture are used as "
            f"'{fewest.with_suffix('.txt').name}' has, which is {least}.",
            file=sys.stderr,
        )
    entries = [{"id": i, "file_name": picture.name} for i, picture in enumerate(pictures)]
    pairs = [(i, text) for i, texts in enumerate(captions) for text in texts]
    held_out = [(0, prompt) for prompt in lines_of(prompts)]
    write_annotations(folder.parent / "annotations.json", entries, pairs)
    write_annotations(folder.parent / "prompts.json", [], held_out)
    section = {
        "source": "folder",
        "root": str(folder.parent),
        "train_images": folder.name,
        "train_annotations": "annotations.json",
        "prompt_annotations": "prompts.json",
        "images": len(pictures),
        "captions": least,
    }
    return yaml.safe_dump({"dataset": section}, sort_keys=False, allow_unicode=True)


def main() -> None:
    """Writes the files and prints the configuration's section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("images", type=Path, help="the folder of pictures and their text files")
    parser.add_argument("--prompts", type=Path, required=True, help="a text file of prompts")
    arguments = parser.parse_args()
    try:
        print(annotate(arguments.images.resolve(), arguments.prompts), end="")
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
