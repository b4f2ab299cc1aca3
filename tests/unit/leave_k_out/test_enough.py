"""What a data set lacks is said before anything is trained."""

import os
from pathlib import Path

import pytest

from leavekout.base.errors import InputError
from leavekout.data.coco import write_annotations
from leavekout.leave_k_out.enough import require_dataset
from project import copy_project, ran, refused


@pytest.mark.parametrize(
    ("needed", "images", "captions", "sentence"),
    [
        (3, 2, 1, r"val.json: the study needs 3 prompts .* only 2 distinct captions are no"),
        (2, 3, 1, "train.json: holds 2 images, but 'dataset.images' is 3"),
        (2, 2, 2, "train.json: 2 images have fewer than 'dataset.captions' = 2"),
        (2, 2, 1, None),
    ],
)
def test_a_data_set_that_is_there_is_checked(
    needed: int, images: int, captions: int, sentence: str | None, tmp_path: Path
) -> None:
    val, train = tmp_path / "val.json", tmp_path / "train.json"
    sizes = {"images": images, "captions": captions}
    require_dataset(99, val, train, **sizes)  # nothing is there yet
    entries = [{"id": i, "file_name": f"{i}.png"} for i in range(2)]
    write_annotations(train, entries, [(0, "a dog"), (1, "a cat")])
    require_dataset(99, val, train, **sizes)
    write_annotations(val, [], [(0, "a dog"), (1, "a hen"), (2, "a hen"), (3, "an ox")])
    if sentence is None:
        require_dataset(needed, val, train, **sizes)
    else:
        with pytest.raises(InputError, match=sentence):
            require_dataset(needed, val, train, **sizes)


def test_files_of_the_user_that_are_gone_are_said_before_any_job(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    tiny = ["--configfile", "config/tiny.yaml", "--config"]
    mapper = [*tiny, "embeddings={mine: {mapper: absent.pth}}", "methods=[mine]"]
    ran(project, "-n", *mapper)
    assert "absent.pth: there is no such file" in refused(project, *mapper)
    (project / "absent.pth").write_bytes(b"no weights")
    assert "absent.pth: not a complete file of tensors alone" in refused(project, *mapper)
    scores = project / "results/tiny/attribution/mine/q000.npy"
    scores.parent.mkdir(parents=True)
    scores.touch()  # imported earlier, from a folder that is gone
    elsewhere = [*tiny, "external={mine: absent}", "methods=[mine]"]
    assert "has no scores of 4 of 4 queries" in refused(project, "-n", *elsewhere)


def test_a_folder_with_braces_is_refused_at_once(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "a{b}")
    assert "takes braces in a path for wildcards" in refused(project, "-n")


def test_a_model_that_is_none_and_times_in_the_future_are_refused(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    tiny = ["--configfile", "config/tiny.yaml"]
    none = "results/tiny/retrained/pixel/q000/k21/outcome.safetensors"
    printed = refused(project, "-n", *tiny, "--", none)
    assert "retrained/pixel/q000/k21 is no model of this study" in printed
    for name in (
        "results/tiny/data/images.parquet",
        "resources/digits/annotations/captions_train.json",
        "resources/digits/annotations/captions_val.json",
    ):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tomorrow = path.stat().st_mtime + 86_400
    os.utime(path, (tomorrow, tomorrow))
    folder = [*tiny, "--config", "dataset={source: folder}", "--", "fetch"]
    printed = refused(project, *folder)
    assert "captions_val.json: its time is in the future" in printed
    assert path.exists()
