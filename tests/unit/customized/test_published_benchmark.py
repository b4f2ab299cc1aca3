"""The published benchmark: lists, archives in parts, and the folders that a study reads."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import py7zr
import pytest
import torch

from configured import experiment
from custom_sd14 import EXEMPLARS, MODELS, MORE, NAMES, POOL, pack, write_json, write_published
from leavekout.base.errors import InputError
from leavekout.customized.collection import given_queries
from leavekout.customized.custom_diffusion import read_token
from leavekout.customized.exemplars import read_exemplars
from leavekout.customized.published import (
    ARCHIVES,
    read_models,
    unpack_published,
    write_models,
    write_pool,
)
from leavekout.data.coco import training_table


def write_model(folder: Path, seed: int) -> None:
    torch.save({"weight": torch.zeros(1)}, folder / "pytorch_custom_diffusion_weights.pt")
    torch.save({"<new1>": torch.full((4,), seed)}, folder / "<new1>.bin")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "data"
    write_published(folder, write_model)
    return folder


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "data"))


def parts_of(data: Path, archive: str) -> list[Path]:
    return sorted((data / archive).glob("*.7z.*"))


def unpacked(data: Path, archive: str, images: int = POOL) -> Path:
    models = read_models(data / "all_tasks.json", data / "json")
    folder = data / "unpacked" / archive
    unpack_published(archive, parts_of(data, archive), models, folder, images)
    return folder


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_models_have_the_queries_and_exemplars_that_the_lists_name(data: Path) -> None:
    tasks = data / "all_tasks.json"
    fish, ink = read_models(tasks, data / "json")
    assert [fish.name, ink.name] == NAMES == ["imagenet-n01440764_0000", "artchive-ink"]
    assert (fish.caption, ink.caption) == ("V* fish", "A picture in the style of V* art")
    assert fish.queries == [
        ("synth/imagenet/gpt/n01440764_0000/samples/00000.png", "photo of V* fish"),
        ("synth/imagenet/b/n01440764_0000/samples/00000.png", "drawing of V* fish"),
    ]
    assert ink.exemplars == [f"exemplar/artchive/images/ink/{i}.JPEG" for i in range(EXEMPLARS)]


def test_no_more_than_the_models_need_is_unpacked(data: Path) -> None:
    assert files(unpacked(data, "models_test")) == {
        f"models/{path}/{name}"
        for path in MODELS
        for name in ("<new1>.bin", "pytorch_custom_diffusion_weights.pt")
    }
    assert len(files(unpacked(data, "exemplar"))) == EXEMPLARS * len(MODELS)
    pool = files(unpacked(data, "laion_subset"))
    names = {f"laion_subset/images/{number:07d}.png" for number in range(POOL)}
    assert pool == names | {"laion_subset/captions.txt"}


def test_the_pool_is_the_first_pictures_by_name_with_their_captions(data: Path) -> None:
    images, annotations = data / "pool" / "images", data / "pool" / "captions.json"
    write_pool(unpacked(data, "laion_subset"), images, annotations)
    table = training_table(annotations, images=POOL, captions=1)
    assert table["file_name"].tolist() == [f"{number:07d}.png" for number in range(POOL)]
    assert table["captions"].str[0].tolist() == [f"picture {number}" for number in range(POOL)]
    assert files(images) == set(table["file_name"])


def test_the_folders_of_models_are_those_that_a_study_reads(data: Path) -> None:
    for archive in set(ARCHIVES) - {"laion_subset"}:
        unpacked(data, archive)
    models = read_models(data / "all_tasks.json", data / "json")
    root = data / "models"
    write_models(models, data / "unpacked", root)
    assert sorted(path.name for path in root.iterdir()) == sorted(NAMES)
    exemplars = read_exemplars(root / "artchive-ink", captions=1)
    assert exemplars["captions"].str[0].tolist() == ["A picture in the style of V* art"] * 3
    queries = {name: [[f"{name}-q000", f"{name}-q001"], []] for name in NAMES}
    table, pictures = given_queries(root, queries)
    assert table["prompt"].tolist()[:2] == ["photo of V* fish", "drawing of V* fish"]
    # Both pictures have the same name in the archive.
    for path, (picture, _) in zip(pictures, models[0].queries, strict=False):
        expected = data / "unpacked" / "synth_test" / picture
        assert path.read_bytes() == expected.read_bytes()
    assert read_token(root / "artchive-ink").tolist() == [1, 1, 1, 1]


def changed(data: Path, **values: Any) -> Path:
    """The list of queries with other values in its second entry."""
    tasks = data / "all_tasks.json"
    content = json.loads(tasks.read_text())
    content[1] |= values
    write_json(tasks, content)
    return tasks


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"synth_image_path": "/etc/passwd"}, r"1.synth_image_path: it is no path below 'synth/'"),
        ({"synth_image_path": "synth/../../x"}, r"1.synth_image_path: it is no path below"),
        ({"model_path": "models"}, r"1.model_path: it is no path below 'models/'"),
        ({"prompt": "a photo"}, r"1.prompt: it lacks the model's token, <new1>"),
        ({"train_prompt": None}, r"1.train_prompt: Input should be a valid string"),
        ({"test_case": "../secret"}, r"1.test_case: String should match pattern"),
        ({"test_case_ind": -1}, r"1.test_case_ind: Input should be greater"),
    ],
)
def test_a_wrong_list_of_queries_is_refused(
    data: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=rf"all_tasks.json: not as published \({message}.*again"):
        read_models(changed(data, **values), data / "json")


def test_a_damaged_or_foreign_list_is_refused(data: Path) -> None:
    tasks, lists = data / "all_tasks.json", data / "json"
    listed = lists / "test_artchive.json"
    with pytest.raises(InputError, match=r"has 2 entries, but all_tasks.json asks for entry 7"):
        read_models(changed(data, test_case_ind=7), lists)
    listed.write_text('[{"exemplar": ["dataset/exemplar/../x"]}]')
    with pytest.raises(InputError, match=r"0.exemplar.0: it is no path below 'exemplar/'"):
        read_models(tasks, lists)
    listed.unlink()
    with pytest.raises(InputError, match=r"test_artchive.json: there is no such file"):
        read_models(tasks, lists)
    tasks.write_text(tasks.read_text()[:100])
    with pytest.raises(InputError, match=r"all_tasks.json: not as published \(Invalid JSON"):
        read_models(tasks, lists)


def test_an_incomplete_or_damaged_archive_is_refused(data: Path) -> None:
    _, second, third = parts_of(data, "exemplar")
    with pytest.raises(InputError, match=r"laion_subset.7z.001: holds 35 pictures, but .*40"):
        unpacked(data, "laion_subset", images=40)
    content = second.read_bytes()
    second.write_bytes(bytes(len(content)))
    with pytest.raises(InputError, match=r"exemplar.7z.001: not a .*7z archive"):
        unpacked(data, "exemplar")
    second.unlink()
    with pytest.raises(InputError, match=r"data/exemplar: part 2 of 'exemplar' is missing"):
        unpacked(data, "exemplar")
    second.write_bytes(content)
    third.unlink()
    with pytest.raises(InputError, match=r"exemplar.7z.001: not a .*7z archive"):
        unpacked(data, "exemplar")
    assert not list((data / "unpacked").iterdir())


def test_an_archive_without_what_is_listed_is_refused(data: Path) -> None:
    write_json(data / "json" / "test_artchive.json", [{"exemplar": ["exemplar/a/b.jpg"]}] * 2)
    with pytest.raises(InputError, match=r"exemplar.7z.001: lacks 'exemplar/a/b.jpg'; use another"):
        unpacked(data, "exemplar")


def repacked(data: Path, captions: Sequence[str]) -> None:
    """The pool's archive with other captions."""
    root = data / "again"
    unpack_all = parts_of(data, "laion_subset")
    whole = b"".join(part.read_bytes() for part in unpack_all)
    (data / "whole.7z").write_bytes(whole)
    with py7zr.SevenZipFile(data / "whole.7z") as archive:
        archive.extractall(root)
    (root / "laion_subset" / "captions.txt").write_text("".join(captions))
    for part in unpack_all:
        part.unlink()
    pack(data / "laion_subset" / "laion_subset.7z", root, "laion_subset")


def test_captions_that_cannot_be_paired_are_refused(data: Path) -> None:
    repacked(data, ["a caption\n"] * (POOL + MORE + 1))
    with pytest.raises(InputError, match=r"'laion_subset/captions.txt' has 36 lines for 35 pict"):
        unpacked(data, "laion_subset")


@pytest.mark.parametrize("name", ["<new1>.bin", "pytorch_custom_diffusion_weights.pt"])
def test_a_model_without_its_files_is_refused(data: Path, name: str) -> None:
    for archive in set(ARCHIVES) - {"laion_subset"}:
        unpacked(data, archive)
    (data / "unpacked" / "models_test" / "models" / "artchive" / "ink" / name).unlink()
    models = read_models(data / "all_tasks.json", data / "json")
    with pytest.raises(
        InputError, match=r"models/artchive/ink: the customized model's .* is missing"
    ):
        write_models(models, data / "unpacked", data / "models")
    assert not (data / "models").exists()


def test_a_smaller_study_has_the_first_models_of_each_kind() -> None:
    kinds = experiment("custom-sd14", customized={"first": 2}).customized.kinds()
    assert kinds == {
        "imagenet-n01440764_0000": "object",
        "imagenet-n01669191_0008": "object",
        "artchive-african": "style",
        "bamfg-101549_0": "style",
    }


@pytest.mark.parametrize(
    "changes", [{"dataset": {"source": "folder"}}, {"customized": {"published": None}}]
)
def test_a_source_without_its_section_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"'dataset.source: published' and the section"):
        experiment("custom-sd14", **changes)
