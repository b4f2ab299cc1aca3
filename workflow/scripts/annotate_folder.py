"""Writes COCO's annotations for a folder of captioned pictures.

    python workflow/scripts/annotate_folder.py my-pictures/images --prompts my-pictures/prompts.txt

Each picture `name.png` needs a text file `name.txt` beside it, with one caption per line. Queries
are generated from the prompts, one per line. A prompt that is also a caption is never used.
The files annotations.json and prompts.json are written beside the folder.
"""

import argparse
import sys
from pathlib import Path

import yaml
from PIL import Image

from leavekout.base.errors import InputError
from leavekout.data.coco import write_annotations


def lines_of(path: Path) -> list[str]:
    """The non-empty lines of a text file; raises InputError if there are none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such text file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8.") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path}: the text file is empty.")
    return lines


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, sorted by name; raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    endings = Image.registered_extensions()
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    if not pictures:
        raise InputError(f"{folder}: the folder has no pictures.")
    return pictures


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
        "captions": min(map(len, captions)),  # every image has at least this number
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
