"""Writes COCO's annotations for a folder of captioned pictures.

    python workflow/scripts/annotate_folder.py my-pictures/images --prompts my-pictures/prompts.txt

Beside each picture `name.png` is a text file `name.txt` with one caption a line. The prompts, one a
line, are what queries are generated from; a prompt that is also a caption is never used.
Two files are written beside the folder: annotations.json and prompts.json.
"""

import argparse
import sys
from pathlib import Path

import yaml
from PIL import Image

from leavekout.base.errors import InputError
from leavekout.data.coco import write_annotations


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not empty; raises InputError if there are none."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such text file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8.") from None
    if not any(lines):
        raise InputError(f"{path}: the text file is empty.")
    return [line for line in lines if line]


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name; raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    endings = Image.registered_extensions()
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    if not found:
        raise InputError(f"{folder}: the folder has no pictures.")
    return found


def annotate(folder: Path, prompts: Path) -> str:
    """Writes both annotation files; returns the section `dataset` of a configuration, as YAML."""
    pictures = pictures_in(folder)
    captions = [lines_of(picture.with_suffix(".txt")) for picture in pictures]
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
        "captions": min(map(len, captions)),  # every image has so many
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
