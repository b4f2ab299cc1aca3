"""Reads captioned pictures in the formats that people keep them in; docs/own-pictures.md.

A text file beside each picture, a table of names and captions (Hugging Face's `imagefolder` is
one), sub-folders named for what they show, WebDataset's tar files, and parquet files that hold the
pictures themselves, as most data sets of the Hub.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from leavekout.base.artifacts import load_json, load_table, load_texts, reading
from leavekout.base.errors import InputError, first_few
from leavekout.data.archives import unpack
from leavekout.data.coco import is_text, shorter_side

FEWEST = 20  # pictures
_NAMES = ("file_name", "filename", "file", "image", "path", "name")
_CAPTIONS = ("caption", "captions", "text", "texts", "description", "prompt", "sentence")
_TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_OF_CLASSES = ("a picture of {}", "{}", "one {}")
_HELD_OUT = ("an image of {}", "this is {}", "here we see {}", "a view of {}")


@dataclass(frozen=True)
class Captioned:
    """Pictures and their captions.

    Args:
        folder: of the pictures.
        captions: of each picture, by its path within the folder, in order of these.
        side: the median of the pictures' shorter sides, in pixels.
        left_out: files that are neither pictures nor captions.
        prompts: texts that are no captions; empty where captions are free texts.
    """

    folder: Path
    captions: dict[str, list[str]]
    side: int
    left_out: list[str]
    prompts: list[str]


def read_captioned(folder: Path, unpacked: Path) -> Captioned:
    """Reads a folder, in the one format that its files have.

    Args:
        unpacked: a folder for pictures that are inside of other files.

    Raises:
        InputError: in one sentence, what is wrong with the folder or one of its files.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    if not _tables_of(folder) and (folder / "train").is_dir():
        folder = folder / "train"  # of a data set with parts for tests
    files = _files_below(folder)
    tars = [path for path in files if path.suffix == ".tar"]
    tables = _tables_of(folder)
    parquet = [path for path in files if path.suffix == ".parquet" and path not in tables]
    parts = [path for path in parquet if path.name.startswith("train")]
    texts = [path for path in files if path.suffix == ".txt" and _picture_beside(path)]
    formats = {
        "tar files": tars,
        "tables of captions": tables,
        "parquet files": parquet,
        "text files beside pictures": texts,
    }
    found = [name for name, own in formats.items() if own]
    if len(found) > 1:
        raise InputError(
            f"{folder}: has captions in several formats ({' and '.join(found)}); keep one of them."
        )
    if tars:
        for tar in tars:
            unpack(tar, unpacked / tar.stem, ["."])
        return _checked(unpacked, *_beside(unpacked))
    if parquet:
        return _checked(unpacked, _embedded(parts or parquet, unpacked), [])
    if tables:
        return _checked(folder, _listed(folder, tables), tables)
    if not texts and _in_classes(folder, files):
        return _classes(folder, files)
    return _checked(folder, *_beside(folder))


def _tables_of(folder: Path) -> list[Path]:
    """Metadata in the folder and below, or else the tables of the folder itself."""
    files = _files_below(folder)
    named = [path for path in files if path.name in _TABLES]
    return named or [p for p in files if p.suffix in (".csv", ".jsonl") and p.parent == folder]


def _files_below(folder: Path) -> list[Path]:
    """All files in a folder and its sub-folders that are not hidden, sorted."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [p for p in paths if not any(x.startswith(".") for x in p.relative_to(folder).parts)]


def _pictures(files: Iterable[Path]) -> list[Path]:
    Image.init()
    endings = {end for end, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return [path for path in files if path.suffix.lower() in endings]


def _picture_beside(text: Path) -> bool:
    return any(path != text for path in _pictures(text.parent.glob(f"{_escaped(text.stem)}.*")))


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _beside(folder: Path) -> tuple[dict[str, list[str]], list[Path]]:
    """Captions from a text file, or a JSON file with a caption, beside each picture."""
    pictures = _pictures(_files_below(folder))
    texts = Counter(path.with_suffix("") for path in pictures)
    shared = [path.name for path in pictures if texts[path.with_suffix("")] > 1]
    _refuse(folder, "pictures share their name with another; rename them", shared)
    captions, used = {}, []
    for path in pictures:
        for ending, read in ((".txt", load_lines), (".json", _caption_of)):
            text = path.with_suffix(ending)
            if text.is_file():
                captions[str(path.relative_to(folder))] = read(text)
                used.append(text)
                break
        else:
            captions[str(path.relative_to(folder))] = []
    return captions, used


def load_lines(path: Path) -> list[str]:
    """The non-empty lines of a text file; raises InputError if there are none.

    Only line breaks of text editors end a line. Others (U+2028, form feeds) become blanks.
    """
    with reading(path, "text file in UTF-8", UnicodeError, advice="save it as UTF-8"):
        text = path.read_text(encoding="utf-8-sig").replace("\ufeff", "")
        if not is_text(text):
            raise UnicodeError("it holds NUL bytes")
    lines = [" ".join(line.splitlines()).strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path}: the text file is empty.")
    return lines


def _caption_of(path: Path) -> list[str]:
    """The captions in a JSON file of WebDataset."""
    content = load_json(path)
    key = _column(path, content, _CAPTIONS, "a caption")
    return _as_texts(content[key])


def _listed(folder: Path, tables: Sequence[Path]) -> dict[str, list[str]]:
    """Captions from tables, whose file names are relative to the table's folder."""
    captions: dict[str, list[str]] = {}
    absent = []
    for path in tables:
        table = load_texts(path)
        name = _column(path, table, _NAMES, "a picture's file name")
        text = _column(path, table, [c for c in _CAPTIONS if c != name], "a caption")
        for file, caption in zip(table[name], table[text], strict=True):
            picture = path.parent / str(file)
            if not picture.is_file():
                absent.append(str(file))
                continue
            place = str(picture.relative_to(folder))
            captions.setdefault(place, []).extend(_as_texts(caption))
    _refuse(folder, "pictures have captions in a table and are not there", absent)
    others = {str(path.relative_to(folder)) for path in _pictures(_files_below(folder))}
    return {**captions, **{place: [] for place in sorted(others - captions.keys())}}


def _embedded(files: Sequence[Path], unpacked: Path) -> dict[str, list[str]]:
    """Writes the pictures that parquet files hold, and returns their captions."""
    unpacked.mkdir(parents=True, exist_ok=True)
    captions: dict[str, list[str]] = {}
    for path in files:
        table = load_table(path)
        names = [str(name) for name in table.columns]
        held = [c for c in names if len(table) and _bytes_of(table[c].iloc[0]) is not None]
        if not held:
            raise InputError(
                f"{path}: no column holds pictures; the columns are {', '.join(names)}."
            )
        text = _column(path, table, _CAPTIONS, "a caption")
        for picture, caption in zip(table[held[0]], table[text], strict=True):
            name = f"{len(captions):08d}"
            (unpacked / name).write_bytes(_bytes_of(picture) or b"")
            captions[name] = _as_texts(caption)
    return captions


def _bytes_of(value: Any) -> bytes | None:
    """The bytes of a picture, as the `datasets` library stores it."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else None


def _in_classes(folder: Path, files: Sequence[Path]) -> bool:
    pictures = _pictures(files)
    return bool(pictures) and all(path.parent != folder for path in pictures)


def _classes(folder: Path, files: Sequence[Path]) -> Captioned:
    """Captions from the names of sub-folders, by templates; prompts by other templates."""
    pictures = _pictures(files)
    kinds = {p: p.relative_to(folder).parts[0].replace("_", " ").strip() for p in pictures}
    captions = {
        str(path.relative_to(folder)): [form.format(kind) for form in _OF_CLASSES]
        for path, kind in kinds.items()
    }
    known = list(dict.fromkeys(kinds.values()))
    found = _checked(folder, captions, [])
    return Captioned(folder, captions, found.side, found.left_out, templated(known))


def templated(texts: Sequence[str]) -> list[str]:
    """Prompts of some words or captions, by templates that no caption is made by."""
    return [form.format(text) for form in _HELD_OUT for text in texts]


def _column(path: Path, columns: Iterable[Any], wanted: Sequence[str], what: str) -> str:
    """The first of the wanted names among the columns, in any case."""
    own = {str(name).lower(): str(name) for name in columns}
    for name in wanted:
        if name in own:
            return own[name]
    raise InputError(
        f"{path}: no column holds {what}; name it '{wanted[0]}' (the columns are "
        f"{', '.join(own.values())})."
    )


def _as_texts(value: Any) -> list[str]:
    """One caption, or several, without empty ones and line breaks."""
    several = [value] if isinstance(value, str) else list(value if value is not None else [])
    texts = [" ".join(str(text).split()) for text in several]
    return [text for text in texts if text]


def _checked(folder: Path, captions: dict[str, list[str]], used: Sequence[Path]) -> Captioned:
    """The pictures, if each can be read and has a caption, and they are not too few."""
    if not captions:
        raise InputError(f"{folder}: has no pictures.")
    bare = [name for name, own in captions.items() if not own]
    if len(bare) == len(captions):
        raise InputError(
            f"{folder}: the pictures have no captions; write a text file beside each, or a table "
            "metadata.csv with the columns file_name and caption, or put them into sub-folders "
            "that are named for what they show."
        )
    _refuse(folder, "pictures have no caption", bare)
    odd = [n for n, own in captions.items() if not all(map(is_text, (n, *own)))]
    _refuse(folder, "pictures have a name or caption that is not text in UTF-8", odd)
    sides = {name: _side_of(folder / name) for name in captions}
    _refuse(folder, "pictures cannot be read", [name for name, side in sides.items() if not side])
    if len(captions) < FEWEST:
        raise InputError(
            f"{folder}: {len(captions)} {'picture is' if len(captions) == 1 else 'pictures are'} "
            f"too few for a study; at least {FEWEST} are needed."
        )
    ours = {folder / name for name in captions} | set(used)
    others = [str(p.relative_to(folder)) for p in _files_below(folder) if p not in ours]
    ordered = sorted(value for value in sides.values() if value)
    return Captioned(folder, dict(captions), ordered[len(ordered) // 2], others, [])


def _side_of(picture: Path) -> int | None:
    try:
        return shorter_side(picture)
    except InputError:
        return None


def _refuse(folder: Path, what: str, names: list[str]) -> None:
    """Raises InputError that counts files and names the first."""
    if names:
        shown = first_few(names).encode("utf-8", "replace").decode()
        raise InputError(f"{folder}: {len(names):,} {what}: {shown}.")
