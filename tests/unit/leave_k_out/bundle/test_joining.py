"""A study joins another with its own methods, and with nothing else of its own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from configured import tree_of
from leavekout.base.errors import InputError
from leavekout.config.reading import merge, read_yaml
from leavekout.kinds import read_experiment
from leavekout.leave_k_out.bundle.artifacts import OF_METHODS, SHARED, own_configuration
from leavekout.leave_k_out.bundle.files import pack, read_bundle
from leavekout.leave_k_out.bundle.joining import bundle_of, joined_methods, left_out, settings_of
from leavekout.leave_k_out.bundle.manifest import Entry
from leavekout.leave_k_out.bundle.trust import (
    require_artifacts_of_the_study,
    require_harmless_configuration,
)
from leavekout.leave_k_out.removals import study_models
from project import ROOT

ENTRY = Entry(archive="a.zip", size=1, sha256="0" * 64)
TINY = tree_of("tiny")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The bundle of a study that has all of the tiny experiment's methods."""
    folder = tmp_path / "bundle"
    about = {"study": "tiny", "methods": TINY["methods"], "training_loop": 2}
    pack(folder, tmp_path, {}, about={**about, "made_by": {"commit": "abc"}}, study=TINY)
    return folder


def rewrite_study(published: Path, **changes: Any) -> None:
    path = published / "study.yaml"
    path.write_text(yaml.safe_dump(merge(read_yaml(path), changes)))


def joining(published: Path, **changes: Any) -> Any:
    """A study that joins it with a method more."""
    own = {"methods": [*TINY["methods"], "mine"], "external": {"mine": "scores"}}
    content = merge(merge(TINY, {**own, "joins": {"bundle": str(published)}}), changes)
    path = published.parent / "joined.yaml"
    path.write_text(yaml.safe_dump(content))
    return read_experiment(content, [path])


def test_a_study_may_join_with_methods_of_its_own(published: Path) -> None:
    variant = {**TINY["unlearning"]["unlearning"], "step_size": 0.5}
    experiment = joining(
        published,
        unlearning={"bolder": variant},
        dataset={"root": "elsewhere"},
        hardware={"forward_batch": 7},
        report={"top_images": 2},
    )
    bundle = bundle_of(experiment, training_loop=2)
    assert joined_methods(experiment, bundle) == ["mine"]
    [replica] = [one for one in study_models(experiment) if one.table == "drift"]
    assert (replica.k, replica.training_seed) == (0, experiment.training.seed)
    assert replica.arm == "replica"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"epochs": 99}}, r"'training.epochs' is 99, but \d+ in the study"),
        ({"queries": {"seed": 5}}, "'queries.seed' is 5"),
        ({"counterfactual": {"k": [3]}}, r"'counterfactual.k' is \[3\]"),
        ({"measures": ["mse"]}, r"'measures' is \['mse'\]"),
        ({"unlearning": {"unlearning": {"step_size": 9.0}}}, "'unlearning.unlearning.step_size'"),
    ],
)
def test_other_settings_are_refused_by_name(
    published: Path, changes: dict[str, Any], message: str
) -> None:
    rewrite_study(published, forgetting=None)  # whose K are the study's
    experiment = joining(published, **changes, forgetting=None)
    with pytest.raises(InputError, match=message):
        bundle_of(experiment, training_loop=2)


def test_source_models_of_other_seeds_are_trained_again_where_their_weights_count(
    published: Path,
) -> None:
    ensemble = {**TINY["influence"]["trak"], "source_seeds": [0, 1, 3]}
    more = [*TINY["methods"], "wider"]
    experiment = joining(published, methods=more, influence={"wider": ensemble})
    bundle = bundle_of(experiment, training_loop=2)
    made = ["retrained/no_removal/seed1/k0", "retrained/no_removal/seed3/k0"]
    assert left_out(experiment, bundle) == made
    assert left_out(joining(published), bundle) == []


def continuing(published: Path, **changes: Any) -> Any:
    return joining(published, joins={"bundle": str(published), "continues": True}, **changes)


def test_a_continued_study_may_add_to_what_is_removed(published: Path) -> None:
    random = {"sets": 3, "k": [20, 40]}
    experiment = continuing(published, counterfactual={"k": [20, 60], "random": random})
    bundle = bundle_of(experiment, training_loop=2)
    assert joined_methods(experiment, bundle) == []
    assert not [one for one in study_models(experiment) if one.table == "drift"]


def test_a_continued_study_may_add_unions(published: Path) -> None:
    rewrite_study(published, counterfactual={"union": None})
    assert bundle_of(continuing(published), training_loop=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counterfactual": {"random": {"seed": 7}}}, "'counterfactual.random.seed' is 7"),
        # A union's models are of other queries then, under the same paths.
        ({"counterfactual": {"union": {"queries": 1}}}, "'counterfactual.union.queries' is 1"),
        ({"counterfactual": {"random": {"sets": 0}}}, "'counterfactual.random.sets' is 0"),
        ({"methods": ["pixel"]}, r"'methods' is \['pixel'\], but .*may only add"),
        ({"training": {"epochs": 99}}, "'training.epochs' is 99"),
    ],
)
def test_a_continued_study_takes_nothing_away(
    published: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bundle_of(continuing(published, **changes), training_loop=2)


def test_a_study_does_not_replace_the_bundle_it_continues(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(published.parent)
    own = Path("results/tiny/bundle")
    own.parent.mkdir(parents=True)
    published.rename(own)
    with pytest.raises(InputError, match="the study writes its own bundle here"):
        bundle_of(continuing(own), training_loop=2)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("extra_rules", ["evil.smk"], "'extra_rules' does not belong in a bundle"),
        ("extends", "other.yaml", "'extends' does not belong in a bundle"),
        ("external", {"a": "x"}, "'external' does not belong in a bundle"),
        ("joins", {"bundle": "x"}, "'joins' does not belong in a bundle"),
        ("hardware", {"stage_to": "/tmp"}, "'hardware.stage_to' names a folder of this machine"),
        ("dataset", {"root": "/home/me"}, "'dataset.root' is '/home/me', no folder of resources/"),
        ("dataset", {"root": "."}, "'dataset.root' is '.', no folder of resources/"),
        ("dataset", {"root": "resources"}, "'dataset.root' is 'resources', no folder of"),
        ("dataset", {"root": "resources/../.."}, "no folder of resources/"),
        ("dataset", {"train_images": "../.."}, "'dataset.train_images' leads out of the data"),
        ("dataset", {"train_images": "/etc"}, "'dataset.train_images' leads out of the data"),
        ("dataset", {"train_annotations": "a/../../b"}, "'dataset.train_annotations' leads out"),
        ("dataset", {"prompt_annotations": ".ssh/keys"}, "'dataset.prompt_annotations' leads out"),
    ],
)
def test_a_bundle_names_no_rules_and_nothing_of_this_machine(
    published: Path, key: str, value: Any, message: str
) -> None:
    """A rule file would be code that runs, and a data set's folder is emptied before it is made."""
    rewrite_study(published, **{key: value})
    # As a joining study has it, whose file extends the bundle's.
    experiment = joining(published, **({key: value} if key in ("dataset", "hardware") else {}))
    with pytest.raises(InputError, match=message):
        bundle_of(experiment, training_loop=2)


def test_a_joining_study_may_keep_its_data_anywhere(published: Path) -> None:
    rewrite_study(published, dataset={"root": "/data/theirs"})
    assert bundle_of(joining(published, dataset={"root": "/data/mine"}), training_loop=2)


def test_a_study_that_continues_itself_keeps_its_own_data(published: Path) -> None:
    own = {"dataset": {"root": "my-pictures"}}
    rewrite_study(published, **own)
    assert bundle_of(continuing(published, **own), training_loop=2)
    with pytest.raises(InputError, match=r"'dataset.root' is 'my-pictures', no folder of"):
        bundle_of(joining(published, **own), training_loop=2)


def test_a_bundle_names_no_server_that_encoders_come_from(published: Path) -> None:
    """A stranger would choose the weights, and would see what the hub's client sends."""
    path = ROOT / "config" / "coco.yaml"
    theirs = merge(read_yaml(path), {"encoders": {"endpoint": "https://theirs.example"}})
    joins = {"joins": {"bundle": str(published)}}
    bundle = read_bundle(published)
    joined = read_experiment(merge(theirs, joins), [path])
    with pytest.raises(InputError, match=r"'encoders.endpoint' names the server 'https://theirs"):
        require_harmless_configuration(bundle, theirs, joined)
    own = merge(theirs, {**joins, "encoders": {"endpoint": "https://mine.example"}})
    require_harmless_configuration(bundle, theirs, read_experiment(own, [path]))
    assert own_configuration(theirs)["encoders"] == read_yaml(path)["encoders"]
    assert own_configuration({"hardware": {"stage_to": "/tmp", "gpus": 1}, "joins": {}}) == {
        "hardware": {"gpus": 1}
    }


@pytest.mark.parametrize("folder", ["logs", "bundle", "encoders", "encoders/vae", "encoders/a/b"])
def test_a_bundle_fills_no_folder_but_its_encoders(published: Path, folder: str) -> None:
    """`encoders/vae` has no files here: it would be emptied."""
    bundle = replace(read_bundle(published), folders=[folder])
    with pytest.raises(InputError, match=f"would write the folder '{folder}', which is not an enc"):
        require_artifacts_of_the_study(bundle, joining(published))


@pytest.mark.parametrize(
    "name",
    [
        "attribution/mine/q000.npy",
        "retrained/mine/q000/k20/outcome.safetensors",
        "retrained/again-mine/q000-seed1/k20/outcome.safetensors",
        "retrained/replica/seed0/k0/outcome.safetensors",
        "measurements/test/mine.parquet",
        "costs/mine.json",
        "attribution/nobody/q000.npy",
        "tables/estimates.csv",
        "source",
    ],
)
def test_a_bundle_holds_nothing_of_the_study_that_joins_it(published: Path, name: str) -> None:
    bundle = read_bundle(published)
    entries = {name: ENTRY}
    with pytest.raises(InputError, match=f"the bundle has '{name}', which does not belong to the"):
        require_artifacts_of_the_study(replace(bundle, entries=entries), joining(published))


def test_published_artifacts_are_accepted(published: Path) -> None:
    names = [
        "source/model.safetensors",
        "queries/images/q000.png",
        "encoders/vae/config.json",
        "attribution/pixel/q000.npy",
        "costs/pixel.json",
        "measurements/test/random.parquet",
        "measurements/test/again-pixel.parquet",
        "retrained/pixel/q000/k20/outcome.safetensors",
        "retrained/no_removal/seed1/k0/outcome.safetensors",
    ]
    entries = {name: ENTRY for name in names}
    bundle = replace(read_bundle(published), entries=entries, folders=["encoders/vae"])
    require_artifacts_of_the_study(bundle, joining(published))
    fewer = joining(published, methods=["unlearning", "mine"])
    assert "attribution/pixel" in left_out(fewer, bundle)
    kept = bundle.without(left_out(fewer, bundle)).entries
    assert [name for name in kept if "pixel" in name] == ["measurements/test/again-pixel.parquet"]
    # What models are trained from is the same, whatever methods are left out.
    start = bundle.below(SHARED)
    assert set(start.entries) == set(names[:3])
    assert bundle.without(left_out(fewer, bundle)).below(SHARED).digest == start.digest
    assert set(bundle.below(OF_METHODS).entries) == set(names[3:])
    assert not bundle.below(OF_METHODS).folders


def test_defaults_are_compared_with_the_published_study_s(published: Path) -> None:
    settings = settings_of(joining(published))
    assert settings["evaluation"]["precision"] == "float32"
    assert {"joins", "hardware", "methods", "external"}.isdisjoint(settings)
    assert "root" not in settings["dataset"]
    path = published / "manifest.json"
    content = json.loads(path.read_text())
    content["about"]["settings"] = merge(settings, {"evaluation": {"precision": "bfloat16"}})
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"'evaluation.precision' is 'float32', but"):
        bundle_of(joining(published), training_loop=2)


def test_methods_of_the_published_study_are_not_tuned(published: Path) -> None:
    with pytest.raises(InputError, match="'tuning' names 'pixel', a method of the study that is"):
        bundle_of(joining(published, tuning={"methods": ["pixel"], "k": [20]}), training_loop=2)


def test_models_of_another_training_loop_are_refused(published: Path) -> None:
    with pytest.raises(InputError, match=r"version 2 of the training loop, and this is version 3"):
        bundle_of(joining(published), training_loop=3)
