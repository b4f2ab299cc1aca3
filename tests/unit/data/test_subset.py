"""A part of a data set, by a seed: its images, files one by one, and queries of its subjects."""

import json
from pathlib import Path
from typing import Any

import pytest

from configured import experiment
from leavekout.base.errors import InputError
from leavekout.data import coco
from leavekout.data.download import fetch_pictures
from leavekout.kinds import costs_of
from leavekout.leave_k_out.removals import study_models
from leavekout.queries.prompts import choose_queries, pattern_of
from loopback import loopback

IDS = [37 * number for number in range(1, 201)]


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    path = tmp_path / "captions.json"
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in reversed(IDS)]
    captions = [{"id": i, "image_id": i, "caption": f"image {i}"} for i in IDS]
    path.write_text(json.dumps({"images": images, "annotations": captions}))
    return path


def ids_of(annotations: Path, images: int, seed: int | None) -> list[int]:
    table = coco.training_table(annotations, images=images, captions=1, subset_seed=seed)
    assert table["captions"].tolist() == [[f"image {i}"] for i in table["image_id"]]
    return table["image_id"].tolist()


def test_a_subset_keeps_ids_and_grows(annotations: Path) -> None:
    few, many, other = (ids_of(annotations, *of) for of in ((20, 0), (90, 0), (90, 1)))
    assert (len(few), len(many)) == (20, 90)
    assert few == sorted(few)
    assert {*few} < {*many} < {*IDS}
    assert {*many} != {*other}
    assert min(few) < 37 * 60  # not the first or last of the file
    assert max(few) > 37 * 140
    assert ids_of(annotations, 200, 0) == ids_of(annotations, 200, None) == IDS


def test_a_subset_larger_than_the_whole_is_refused(annotations: Path) -> None:
    with pytest.raises(InputError, match="holds 200 images, fewer than the 201 to be drawn"):
        ids_of(annotations, 201, 0)


def test_pictures_are_fetched_one_by_one_and_once(tmp_path: Path) -> None:
    names = [f"{number:03d}.jpg" for number in range(40)]
    with loopback(tmp_path / "served") as server:
        (server.folder / "train").mkdir()
        for name in [*names, "other.jpg"]:
            (server.folder / "train" / name).write_bytes(name.encode() * 1000)
        server.breaks["train/007.jpg"] = 3000
        folder = tmp_path / "here"
        fetch_pictures(f"{server.url}/train/", names[:30], folder)
        fetch_pictures(f"{server.url}/train", names, folder)
        assert sorted(path.name for path in folder.iterdir()) == names
        assert all((folder / n).read_bytes() == n.encode() * 1000 for n in names)
        asked = [path for path, _ in server.asked]
        assert sorted(asked) == sorted([*(f"train/{n}" for n in names), "train/007.jpg"])
        with pytest.raises(
            InputError, match=r"train/none.jpg: cannot be fetched \(HTTP status 404"
        ):
            fetch_pictures(f"{server.url}/train", ["none.jpg"], folder)


SUBJECTS = ["cat|cats", "dog", "traffic light", "bus"]
PROMPTS = [f"{number} {thing}" for number in range(30) for thing in ("cats", "Cat", "dogs", "dog")]


def test_queries_are_of_distinct_subjects() -> None:
    prompts = [*PROMPTS, "a bus at a traffic light", "a bus and a catfish"]
    names = ["q000", "q001", "q002"]
    table = choose_queries(names, ["t000", "t001"], prompts, 0, subjects=SUBJECTS)
    test, tuning = table["prompt"][:3].tolist(), table["prompt"][3:].tolist()
    assert sum("cat" in p.lower().split() or "cats" in p.split() for p in test) == 1
    assert sum("dog" in p.split() for p in test) == 1
    assert sum("bus" in p.split() for p in test) == 1
    assert not any("dogs" in p for p in (*test, *tuning))  # a whole word, and no subject
    assert not {*test} & {*tuning}
    few = choose_queries(names[:2], ["t000"], prompts, 0, subjects=SUBJECTS)
    assert few["prompt"].tolist() == [*test[:2], tuning[0]]
    alone = choose_queries([], ["t000"], prompts, 0, teacher=["d000", "d001"], subjects=SUBJECTS)
    assert alone["prompt"].is_unique


def test_phrases_are_whole_words_in_any_case() -> None:
    pattern = pattern_of("bus|traffic light")
    assert [bool(pattern.search(text)) for text in ("A Bus.", "omnibus", "buses")] == [
        *(True, False, False),
    ]


def test_too_few_subjects_are_refused() -> None:
    with pytest.raises(InputError, match="only 2 prompts name different 'subjects', and 3 queries"):
        choose_queries(["q000", "q001", "q002"], [], PROMPTS, 0, subjects=SUBJECTS)
    with pytest.raises(InputError, match="too few prompts that name the 'subjects'"):
        choose_queries(["q000"], ["t000"], ["a cat", "a tree"], 0, subjects=SUBJECTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": {"test": 99}}, "'queries.subjects' names 50, fewer than the queries"),
        ({"dataset": {"source": "folder"}}, "'dataset.pictures' is an address"),
        (
            {"published": {"queries": {"prompts": "mine.txt"}}},
            "'published.queries' gives them; leave one out",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        experiment("coco-day", **changes)


def test_a_training_of_coco_day_is_minutes_and_its_data_stays_on_the_gpu() -> None:
    day, small = experiment("coco-day"), experiment("coco-day-24gb")
    costs = costs_of(day)
    assert costs.training().seconds < 240
    assert costs.loading < 10
    for e in (day, small):
        assert costs_of(e).data_mb == 0  # nothing is streamed
    assert day.model_dump(exclude={"hardware"}) == small.model_dump(exclude={"hardware"})
    assert day.queries.subjects is not None
    assert len(day.queries.subjects) >= day.queries.test
    assert day.counterfactual.k == [day.dataset.images // 20]


def test_the_first_table_of_coco_day_trains_nothing_beside_the_study() -> None:
    day, first = (
        {model.outcome: model for model in study_models(experiment(name))}
        for name in ("coco-day", "coco-day-first")
    )
    assert {path: day.get(path) for path in first} == first
    assert len(first) == 2 * 8 + 8 + 8 + 3  # methods, random sets, topics of eight queries, seeds
