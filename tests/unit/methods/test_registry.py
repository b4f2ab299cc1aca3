"""Methods that families know by name, and what a configuration changes of them."""

import re
from typing import Any

import pytest

from configured import CONFIG, tree_of
from leavekout.base.errors import InputError
from leavekout.config.reading import merge
from leavekout.kinds import read_experiment
from leavekout.methods.registry import FAMILIES, built_in_names, family_of

KNOWN = built_in_names()
ALL = [path.stem for path in sorted(CONFIG.glob("*.yaml"))]
ENTRY: Any = {"unlearning": {"abu-plus": {"step_size": 0.5}}}


def resolved(config: str = "digits", **changes: Any) -> Any:
    return read_experiment(merge(tree_of(config), changes), [])


CUSTOMIZED = [name for name in ALL if tree_of(name).get("customized")]


@pytest.mark.parametrize("config", [name for name in ALL if name not in CUSTOMIZED])
def test_a_study_needs_nothing_but_the_name_of_a_known_method(config: str) -> None:
    encoders = resolved(config).encoders.names()
    for name in KNOWN:
        if name == "dinov2" and name not in encoders:
            with pytest.raises(InputError, match=r"^\S+ 'embeddings.dinov2.encoder' is .*\.$"):
                resolved(config, methods=[name])
        else:
            family = family_of(resolved(config, methods=[name]), name)
            assert family is not None
            assert name in family.built_in()


@pytest.mark.parametrize("config", CUSTOMIZED)
def test_customized_models_refuse_methods_for_one_model(config: str) -> None:
    names = [name for family in FAMILIES if family.for_one_model for name in family.built_in()]
    assert len(names) > 3
    for name in names:
        sentence = rf"^\S+ {re.escape(repr(name))} is a method for one source model, .*\.$"
        with pytest.raises(InputError, match=sentence):
            resolved(config, methods=[name])


@pytest.mark.parametrize(
    "naming",
    [
        {"methods": ["abu-plus"]},
        {"tuning": {"methods": ["abu-plus"], "k": [100]}},
        {"tuning": {"settings": {"abu-plus": [{}]}, "k": [100]}},
        {"forgetting": {"methods": ["abu-plus"], "k": [], "related": 1, "seed": 0}},
        {"counterfactual": {"more": {"methods": ["abu-plus"], "k": [50]}}},
        {"counterfactual": {"union": {"methods": ["abu-plus"], "k": 9, "queries": 2, "others": 1}}},
    ],
    ids=lambda naming: ".".join([*naming, next(iter(naming[next(iter(naming))]))]),
)
def test_an_entry_changes_its_keys_and_keeps_the_others(naming: dict[str, Any]) -> None:
    naming = {"queries": {"tuning": 1}, **naming}
    assert "abu-plus" not in resolved().unlearning
    plain = resolved(**naming).unlearning["abu-plus"]
    changed = resolved(**naming, **ENTRY).unlearning["abu-plus"]
    assert (plain.curvature, plain.damping, plain.step_size) == ("ekfac", 0.1, 0.2)
    assert changed == plain.model_copy(update={"step_size": 0.5})


def test_each_of_the_tuning_s_settings_changes_the_entry_as_it_is_written() -> None:
    tuning = {"k": [100], "settings": {"abu-plus": [{}, {"damping": 0.3}]}}
    e = resolved(tuning=tuning, queries={"tuning": 1}, **ENTRY)
    assert e.tuning.methods == ["abu-plus-t0", "abu-plus-t1"]
    assert e.unlearning["abu-plus-t0"] == e.unlearning["abu-plus"]
    second = e.unlearning["abu-plus-t1"]
    assert (second.curvature, second.damping, second.step_size) == ("ekfac", 0.3, 0.5)


def test_a_method_brings_the_entries_that_it_refers_to() -> None:
    e = resolved(methods=["distilled", "d-trak"], gradients={"output": {"dimension": 64}})
    assert e.distilled["distilled"].teacher == "abu-plus"
    assert e.unlearning["abu-plus"].curvature == "ekfac"
    output = e.gradients[e.influence["d-trak"].gradients]
    assert (output.objective, output.weights, output.dimension) == ("squared_output", "all", 64)
    other = resolved(methods=["distilled"], distilled={"distilled": {"teacher": "unlearning-skew"}})
    assert other.unlearning["unlearning-skew"].readout == "skew"
    assert "abu-plus" not in other.unlearning


def test_distilled_features_have_queries_to_learn_from() -> None:
    assert "teacher" not in tree_of("digits")["queries"]
    assert resolved().queries.teacher == 0
    assert resolved(methods=["distilled"]).queries.teacher == 24
    assert resolved(methods=["distilled"], queries={"teacher": 5}).queries.teacher == 5
    tuning = {"methods": ["distilled"], "k": [100]}
    assert resolved(tuning=tuning, queries={"tuning": 2}).queries.teacher == 24


def test_a_completed_configuration_is_read_again_as_it_is() -> None:
    names = [*(name for name in KNOWN if name != "dinov2"), "oracle"]
    tuning = {"k": [100], "settings": {"abu-plus": [{}, {"damping": 0.3}]}}
    once = resolved(methods=names, tuning=tuning, queries={"tuning": 1}, **ENTRY)
    assert read_experiment(once.model_dump(mode="json"), []) == once


@pytest.mark.parametrize(("k", "groups"), [([100], 18), ([100, 300], 6), ([1700], 2)])
def test_an_oracle_without_a_section_has_groups_of_the_largest_k(k: list[int], groups: int) -> None:
    changes: Any = {"methods": ["oracle"], "counterfactual": {"k": k}}
    assert resolved(**changes).oracle.groups == groups
    assert resolved(**changes, oracle={"groups": 7}).oracle.groups == 7
    assert resolved(counterfactual={"k": k}).oracle is None


def test_methods_that_are_left_out_are_in_no_list() -> None:
    lists: dict[str, Any] = {
        "methods": ["unlearning", "abu-plus", "clip"],
        "tuning": {"methods": ["clip"], "settings": {"abu-plus": [{}], "trak": [{}]}, "k": [100]},
        "forgetting": {"methods": ["unlearning", "abu-plus"], "k": [], "related": 1, "seed": 0},
        "counterfactual": {
            "more": {"methods": ["abu-plus", "dino"], "k": [50]},
            "union": {"methods": ["abu-plus", "trak"], "k": 9, "queries": 2, "others": 1},
        },
        "queries": {"tuning": 1},
    }
    e = resolved(**lists, without=["abu-plus", "clip", "mucs"])  # mucs is in none of them
    assert e.methods == ["unlearning"]
    assert e.tuning.methods == ["trak-t0"]
    assert e.forgetting.methods == ["unlearning"]
    assert e.counterfactual.more.methods == ["dino"]
    assert e.counterfactual.union.methods == ["trak"]
    everything = resolved("coco", without=["clip-abc", "dino-abc"])
    assert len(everything.methods) == len(resolved("coco").methods) - 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"without": ["clip-abd"]}, "'without' names 'clip-abd', .*; the nearest is 'clip-abc'"),
        ({"without": ["abu-plus"]}, "'distilled.distilled.teacher' is among the methods of 'with"),
        ({"methods": ["clip"], "without": ["clip"]}, r"'methods' is \[\], but list should have"),
        ({"without": "clip"}, "'without' is 'clip', but input should be a valid list"),
    ],
)
def test_what_cannot_be_left_out_is_said(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=rf"^\S+ {sentence}"):
        resolved("coco", forgetting=None, **changes)


def test_a_trajectory_needs_queries_that_are_generated() -> None:
    changes = {"methods": ["journey-trak"], "customized": {"queries": "given"}}
    with pytest.raises(InputError, match="query_timestep' needs queries that are gen"):
        resolved("tiny-custom", **changes)
