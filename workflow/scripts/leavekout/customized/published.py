"""The benchmark as published: the list of queries, the archives, and the folders of a study.

The code of Wang et al., *Data Attribution for Text-to-Image Models by Unlearning Synthesized
Images* (NeurIPS 2024), has the list of queries, the tasks. A task names its picture and its model
by their paths in the archives of Wang et al., *Evaluating Data Attribution for Text-to-Image
Models* (ICCV 2023), and its exemplars by an entry in a list of that data set (`json/test_*.json`).
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from leavekout.base.artifacts import atomic_folder, reading
from leavekout.base.errors import InputError, first_few
from leavekout.customized.custom_diffusion import require_files
from leavekout.customized.tokens import PLACEHOLDER
from leavekout.data.archives import names, unpack
from leavekout.data.coco import write_annotations

LISTS = "json/test_*.json"  # in the data set
PARTS = "{0}/{0}.7z*"  # of an archive
POOL = "laion_subset"  # the archive of the pool
# The top folder in each archive.
ARCHIVES = {"exemplar": "exemplar", "synth_test": "synth", "models_test": "models", POOL: POOL}
_PICTURES = PurePosixPath(POOL, "images")
_CAPTIONS = PurePosixPath(POOL, "captions.txt")  # a line for each picture, ordered by name
_TOKEN = "<new1>"
T = TypeVar("T")


def _path_in(archive: str) -> AfterValidator:
    """Requires a path below an archive's top folder. The lists have `dataset/` before it."""
    top = ARCHIVES[archive]

    def check(path: str) -> str:
        inside = path.removeprefix("dataset/")
        parts = PurePosixPath(inside).parts
        if len(parts) < 2 or parts[0] != top or ".." in parts:
            raise ValueError(f"it is no path below '{top}/'")
        return inside

    return AfterValidator(check)


def _with_placeholder(text: str) -> str:
    if _TOKEN not in text:
        raise ValueError(f"it lacks the model's token, {_TOKEN}")
    return text.replace(_TOKEN, PLACEHOLDER)


_Text = Annotated[str, AfterValidator(_with_placeholder)]


class _Task(BaseModel):
    """A query. Its other keys are not needed."""

    synth_image_path: Annotated[str, _path_in("synth_test")]
    prompt: _Text
    model_path: Annotated[str, _path_in("models_test")]
    train_prompt: _Text
    test_case: Annotated[str, Field(pattern=r"^\w+$")]
    test_case_ind: Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    """A model in one of the data set's lists."""

    exemplar: Annotated[list[Annotated[str, _path_in("exemplar")]], Field(min_length=1)]


@dataclass(frozen=True)
class PublishedModel:
    """A published model. Texts contain V*, and paths are those in the archives.

    Args:
        caption: of all exemplars.
        queries: (picture, prompt) of each.
    """

    folder: str
    caption: str
    exemplars: list[str]
    queries: list[tuple[str, str]]

    @property
    def name(self) -> str:
        """Its name in a study: `artchive-african` for `models/artchive/african`."""
        return "-".join(PurePosixPath(self.folder).parts[1:])


def read_models(tasks: Path, lists: Path) -> list[PublishedModel]:
    """The models of the tasks, each with its queries in the order of the tasks.

    Args:
        lists: the folder of the data set's lists.

    Raises:
        InputError: a file is not as it was published, or lists lack an entry.
    """
    models: dict[str, PublishedModel] = {}
    entries_of = cache(lambda path: _read(path, list[_Entry]))
    for task in _read(tasks, list[_Task]):
        if task.model_path not in models:
            path = lists / f"{task.test_case}.json"
            entries = entries_of(path)
            if task.test_case_ind >= len(entries):
                raise InputError(
                    f"{path}: has {len(entries)} entries, but {tasks.name} asks for entry "
                    f"{task.test_case_ind}; fetch both files again."
                )
            exemplars = entries[task.test_case_ind].exemplar
            models[task.model_path] = PublishedModel(
                task.model_path, task.train_prompt, exemplars, []
            )
        models[task.model_path].queries.append((task.synth_image_path, task.prompt))
    return list(models.values())


def _read(path: Path, kind: type[T]) -> T:
    """Reads a JSON file of a type."""
    with reading(path, "JSON file"):
        try:
            return TypeAdapter(kind).validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            reason = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise InputError(
                f"{path}: not as published ({where + ': ' if where else ''}{reason}); fetch it "
                "again or correct its address."
            ) from None


def unpack_published(
    archive: str, parts: Sequence[Path], models: Sequence[PublishedModel], target: Path, images: int
) -> None:
    """Unpacks what is needed of an archive to a new folder.

    Args:
        archive: its name in `ARCHIVES`.
        parts: ordered by name.
        images: the size of the pool, whose first pictures by name are unpacked.

    Raises:
        InputError: a part is missing, the archive is damaged, or it lacks something.
    """
    for number, part in enumerate(parts, start=1):
        if part.suffix not in (f".{number:03d}", ".7z"):
            raise InputError(f"{part.parent}: part {number} of '{archive}' is missing.")
    needed: Iterable[str | PurePosixPath]
    match archive:
        case "exemplar":
            needed = [path for model in models for path in model.exemplars]
        case "synth_test":
            needed = [path for model in models for path, _ in model.queries]
        case "models_test":
            needed = [model.folder for model in models]
        case _:
            pictures = sorted(p for p in map(PurePosixPath, names(parts)) if p.parent == _PICTURES)
            needed = [_CAPTIONS, *pictures[:images]]
    with atomic_folder(target) as staging:
        unpack(parts, staging, list(map(str, needed)))
        missing = [path for path in needed if not (staging / path).exists()]
        if missing:
            raise InputError(f"{parts[0]}: lacks {first_few(missing)}; use another revision.")
        if archive == POOL:
            _require_pairs(parts[0], len(pictures), images, _captions(staging))


def _require_pairs(archive: Path, pictures: int, images: int, captions: Sequence[str]) -> None:
    if pictures < images:
        raise InputError(
            f"{archive}: holds {pictures:,} pictures, but 'dataset.images' is {images:,}."
        )
    if len(captions) != pictures:
        raise InputError(
            f"{archive}: '{_CAPTIONS}' has {len(captions):,} lines for {pictures:,} pictures, so "
            "captions and pictures cannot be paired; use another revision."
        )


def _captions(folder: Path) -> list[str]:
    path = folder / _CAPTIONS
    with reading(path, "text in UTF-8", ValueError), open(path, encoding="utf-8") as file:
        return [line.strip() for line in file]


def write_pool(unpacked: Path, images: Path, annotations: Path) -> None:
    """Writes the pool's folder of pictures, and their captions in COCO's format.

    Args:
        unpacked: the archive's folder.
    """
    found = sorted(path.name for path in (unpacked / _PICTURES).iterdir())
    with atomic_folder(images) as folder:
        for name in found:
            _link(unpacked / _PICTURES / name, folder / name)
    entries = [{"id": number, "file_name": name} for number, name in enumerate(found)]
    write_annotations(annotations, entries, list(enumerate(_captions(unpacked)[: len(found)])))


def write_models(models: Sequence[PublishedModel], unpacked: Path, target: Path) -> None:
    """Writes the folder of each model: exemplars, queries, weights, and the token's embedding.

    Args:
        unpacked: contains the folders of the archives.

    Raises:
        InputError: a model lacks its weights or its token.
    """
    with atomic_folder(target) as staging:
        for model in models:
            folder = staging / model.name
            exemplars = [(path, model.caption) for path in model.exemplars]
            _write_pictures(folder, "exemplars", unpacked / "exemplar", exemplars)
            _write_pictures(folder, "queries", unpacked / "synth_test", model.queries)
            source = unpacked / "models_test" / model.folder
            require_files(source)
            for path in source.iterdir():
                if path.is_file():
                    _link(path, folder / path.name)


def _write_pictures(
    folder: Path, name: str, source: Path, pairs: Sequence[tuple[str, str]]
) -> None:
    """Writes pictures and their texts in COCO's format, in their order.

    Pictures of several folders may share a name, so they are numbered.
    """
    (folder / name).mkdir(parents=True)
    entries = []
    for number, (path, _) in enumerate(pairs):
        file = f"{number:03d}{PurePosixPath(path).suffix}"
        _link(source / path, folder / name / file)
        entries.append({"id": number, "file_name": file, "published": path})
    texts = [(number, text) for number, (_, text) in enumerate(pairs)]
    write_annotations(folder / f"{name}.json", entries, texts)


def _link(source: Path, target: Path) -> None:
    """Gives a file a second name, or copies it where the disk knows no such links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
