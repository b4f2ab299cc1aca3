"""What `make own` proposes: a configuration that is valid, for every number of pictures."""

from pathlib import Path

import pytest
import yaml

import own_pictures
from leavekout.base.errors import InputError
from leavekout.data.coco import prompts, training_table
from leavekout.kinds import costs_of, read_experiment
from leavekout.planning.own import held_out_number, proposal
from own_pictures import make_own, name_of, split
from project import ROOT
from shapes import write_shapes

SECTION = {
    "root": "resources/own/x",
    "train_images": "images",
    "train_annotations": "annotations.json",
    "prompt_annotations": "prompts.json",
    "captions": 1,
}


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with the configurations that are extended."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    for name in ("digits-base", "coco", "coco-day"):
        (tmp_path / "config" / f"{name}.yaml").write_text(
            (ROOT / f"config/{name}.yaml").read_text()
        )
    return tmp_path


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("images", [18, 60, 999, 1000, 5000, 50_000])
def test_every_proposal_is_a_valid_study(images: int, on_gpu: bool, there: Path) -> None:
    file = there / "config" / "own" / "x.yaml"
    file.parent.mkdir()
    sizes = {"images": images, "prompts": held_out_number(images), "side": 300}
    file.write_text(yaml.safe_dump(proposal("x", SECTION, **sizes, on_gpu=on_gpu)))
    e = read_experiment({}, [file])
    assert e.dataset.images == images
    assert e.queries.test + e.queries.tuning <= held_out_number(images)
    assert 0.04 < e.counterfactual.k[0] / images < 0.12
    assert e.training.steps(images, 0) * e.training.batch_size > 0.9 * 48_000
    assert e.training.batch_size <= images
    assert e.dataset.image_size == (128 if on_gpu else 16)
    assert costs_of(e).training().seconds > 0


def test_small_pictures_get_smaller_latents_on_a_gpu() -> None:
    sizes = {"images": 2000, "prompts": 40, "side": 100}
    found = proposal("x", SECTION, **sizes, on_gpu=True)
    assert (found["dataset"]["image_size"], found["model"]["unet"]["sample_size"]) == (64, 8)


def test_captions_of_some_pictures_become_prompts_and_are_not_trained_on() -> None:
    captions = {f"{n}.png": [f"picture {n}", f"again {n}"] for n in range(30)}
    captions |= {f"twin{n}.png": ["the same"] for n in range(30)}
    kept, held_out = split(captions, [])
    assert (len(kept), len(held_out)) == (50, 10)
    assert all(name in kept for name in captions if name.startswith("twin"))
    assert {f"picture {name.removesuffix('.png')}" for name in captions.keys() - kept.keys()} == {
        *held_out
    }
    assert split(captions, []) == (kept, held_out)


def test_repeated_captions_become_prompts_by_other_words() -> None:
    captions = {f"{n}.png": ["a dog" if n % 2 else "a cat"] for n in range(30)}
    kept, held_out = split(captions, [])
    assert kept == captions
    assert held_out[:2] == ["an image of a cat", "an image of a dog"]
    assert len(held_out) == 8


def test_given_prompts_are_held_out_by_their_tokens() -> None:
    captions = {f"{n}.png": [f"picture {n}"] for n in range(30)}
    kept, held_out = split(captions, ["Picture  7", "picture 70", "PICTURE 70"])
    assert kept == captions
    assert held_out == ["PICTURE 70"]


def test_a_folder_becomes_a_data_set_and_a_configuration(there: Path) -> None:
    folder = write_shapes(there / "mine", "text", 40)
    (folder / "0001.txt").write_text("one\ntwo\n")
    (folder / "notes.md").write_text("x")
    before = sorted(folder.iterdir())
    config, said = make_own(str(folder), "mine", None, on_gpu=False)
    e = read_experiment({}, [config])
    root = Path(e.dataset.root)
    table = training_table(root / e.dataset.train_annotations, images=30, captions=1)
    held_out = prompts(root / e.dataset.prompt_annotations)
    assert len(held_out) == 10
    assert not {text for own in table["captions"] for text in own} & {*held_out}
    assert all((root / e.dataset.train_images / name).is_file() for name in table["file_name"])
    assert sorted(folder.iterdir()) == before  # nothing is written into a user's folder
    for words in ("40 pictures", "10 are left out", "10 prompts", "Not used: 1 cap", "'notes.md'"):
        assert words in said
    with pytest.raises(InputError, match="is there already; delete it, or choose another name"):
        make_own(str(folder), "mine", None, on_gpu=False)


def test_prompts_that_are_all_captions_are_refused(there: Path) -> None:
    folder = write_shapes(there / "mine", "text", 24)
    (there / "prompts.txt").write_text("A red circle, number 0\n")
    with pytest.raises(InputError, match="none is left for a query"):
        make_own(str(folder), "mine", Path("prompts.txt"), on_gpu=False)
    assert not Path("config/own/mine.yaml").exists()


def test_a_data_set_of_the_hub_is_taken_from_the_cache(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = write_shapes(there / "cached", "embedded", 24)
    monkeypatch.setattr(own_pictures, "cached_data_set", {"someone/shapes": snapshot}.__getitem__)
    config, _ = make_own("someone/shapes", name_of("someone/shapes"), None, on_gpu=False)
    assert config == Path("config/own/shapes.yaml")
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_CACHE", str(there / "no"))
    with pytest.raises(InputError, match=r"hf download --repo-type dataset someone/none"):
        own_pictures.cached_data_set("someone/none")


@pytest.mark.parametrize(
    ("pictures", "name"),
    [("My Pictures/", "my-pictures"), ("/a/2024", "own-2024"), ("x/Y_z", "y-z")],
)
def test_a_study_has_the_folders_name(pictures: str, name: str) -> None:
    assert name_of(pictures) == name
