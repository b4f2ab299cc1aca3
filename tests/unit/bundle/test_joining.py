"""A study joins another with its own methods, and with nothing else of its own."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from leavekout.bundle.files import pack
from leavekout.bundle.joining import bundle_of, joined_methods, left_out
from leavekout.config.reading import merge, merged, read_yaml
from leavekout.errors import InputError
from leavekout.kinds import read_experiment
from leavekout.removal import Study, models_of
from project import ROOT

FILE = ROOT / "config" / "tiny.yaml"
TINY = merged(read_yaml(FILE), [FILE]).tree


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The bundle of a study that has all of the tiny experiment's methods."""
    folder = tmp_path / "bundle"
    about = {"study": "tiny", "methods": TINY["methods"], "training_loop": 2}
    pack(folder, tmp_path, {}, about={**about, "made_by": {"commit": "abc"}}, study=TINY)
    return folder


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
    study = Study(experiment, ["q000", "q001"], [])
    [replica] = [one for one in models_of(study) if one.table == "drift"]
    assert (replica.k, replica.training_seed) == (0, experiment.training.seed)
    assert replica.path == f"replica/seed{experiment.training.seed}/k0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"epochs": 99}}, r"'training.epochs' is 99, and \d+ in the study"),
        ({"queries": {"seed": 5}}, "'queries.seed' is 5"),
        ({"counterfactual": {"k": [3]}}, r"'counterfactual.k' is \[3\]"),
        ({"measures": ["mse"]}, r"'measures' is \['mse'\]"),
        ({"unlearning": {"unlearning": {"step_size": 9.0}}}, "'unlearning.unlearning.step_size'"),
    ],
)
def test_other_settings_are_refused_by_name(
    published: Path, changes: dict[str, Any], said: str
) -> None:
    forgetting = {"forgetting": None} if "counterfactual" in changes else {}
    experiment = joining(published, **changes, **forgetting)
    if forgetting:
        without = {**TINY, "forgetting": None}
        (published / "study.yaml").write_text(yaml.safe_dump(without))
    with pytest.raises(InputError, match=said):
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


def test_a_further_part_of_a_study_may_add_to_what_is_removed(published: Path) -> None:
    random = {"sets": 3, "k": [20, 40]}
    experiment = continuing(published, counterfactual={"k": [20, 60], "random": random})
    bundle = bundle_of(experiment, training_loop=2)
    assert joined_methods(experiment, bundle) == []
    study = Study(experiment, ["q000", "q001"], [])
    assert not [one for one in models_of(study) if one.table == "drift"]


def test_a_further_part_may_begin_unions(published: Path) -> None:
    before = merge(TINY, {"counterfactual": {"union": None}})
    (published / "study.yaml").write_text(yaml.safe_dump(before))
    assert bundle_of(continuing(published), training_loop=2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"counterfactual": {"random": {"seed": 7}}}, "'counterfactual.random.seed' is 7"),
        # A union's models are of other queries then, under the same paths.
        ({"counterfactual": {"union": {"queries": 1}}}, "'counterfactual.union.queries' is 1"),
        ({"counterfactual": {"random": {"sets": 0}}}, "'counterfactual.random.sets' is 0"),
        ({"methods": ["pixel"]}, r"'methods' is \['pixel'\], and .*take none away"),
        ({"training": {"epochs": 99}}, "'training.epochs' is 99"),
    ],
)
def test_a_further_part_takes_nothing_away(
    published: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        bundle_of(continuing(published, **changes), training_loop=2)


def test_a_study_does_not_replace_the_bundle_it_goes_on_from(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(published.parent)
    own = Path("results/tiny/bundle")
    own.parent.mkdir(parents=True)
    published.rename(own)
    with pytest.raises(InputError, match="this is where the study's own bundle goes"):
        bundle_of(continuing(own), training_loop=2)


@pytest.mark.parametrize("key", ["extra_rules", "extends", "external", "joins"])
def test_a_bundle_names_no_rules_and_no_other_files(published: Path, key: str) -> None:
    """A rule file that a stranger's bundle could name would be code that runs."""
    value = {"extra_rules": ["evil.smk"], "extends": "other.yaml", "joins": {"bundle": "x"}}.get(
        key, {"a": "x"}
    )
    path = published / "study.yaml"
    experiment = joining(published)
    path.write_text(yaml.safe_dump({**read_yaml(path), key: value}))
    with pytest.raises(InputError, match=f"a bundle's configuration has no '{key}'"):
        bundle_of(experiment, training_loop=2)


def test_models_of_another_training_loop_are_refused(published: Path) -> None:
    with pytest.raises(InputError, match=r"version 2 of the training loop, and this is version 3"):
        bundle_of(joining(published), training_loop=3)
