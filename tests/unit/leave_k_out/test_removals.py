"""Removal policies: which models a study trains, and which rows each lacks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from configured import experiment
from leavekout.contract.removal import Removal
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.removals import (
    ensemble_models,
    random_set,
    removed_rows,
    study_models,
    topic_set,
    topic_sets,
    tuning_models,
    unions,
)
from leavekout.methods.registry import source_seeds

TEST, TUNING = ["q000", "q001", "q002"], ["t000"]


def study(**changes: Any) -> LeaveKOut:
    return experiment("tiny", **changes)


def scores_of(tmp_path: Path, query: str, values: list[float]) -> Path:
    path = tmp_path / f"{query}.npy"
    np.save(path, np.array(values, np.float32))
    return path


def rows(removal: Removal, images: int, **files: list[Path]) -> list[int]:
    return removed_rows(removal, files, images=images).tolist()


def test_a_study_trains_each_model_once_and_under_a_path_of_its_own() -> None:
    e = study()
    models = [*study_models(e), *tuning_models(e), *ensemble_models(e, source_seeds(e))]
    by_path: dict[str, Removal] = {}
    for one in models:
        assert by_path.setdefault(one.outcome, one) == one  # shared by study and tuning: the same
        folder, arm, *_, name = one.outcome.split("/")
        assert (folder, arm, name) == ("retrained", one.arm, "outcome.safetensors")
        assert len(one.outcome.split("/")) == 5
        assert Removal.from_dict(one.as_dict()) == one
    assert "retrained/random/s0/k20/outcome.safetensors" in by_path


def test_no_job_depends_on_where_a_model_is_reported() -> None:
    for one in study_models(study()):
        assert {"outcome", "arm", "table", "pictured", "inputs"}.isdisjoint(one.as_dict())
        assert replace(one, table=None, pictured=not one.pictured) == one


def test_every_policy_is_known_by_its_name() -> None:
    joins = {"bundle": "another study's"}
    together = {"together": True, "k": [20], "methods": ["pixel"]}
    models = study_models(study(joins=joins)) + tuning_models(study(tuning=together))
    assert {one.policy for one in models} == {
        *("top", "random", "again", "nothing", "replica", "group", "union", "together")
    }
    assert "replica" not in {one.policy for one in study_models(study())}


def test_methods_models_are_evaluated_on_their_query_and_controls_on_all() -> None:
    models = study_models(study(forgetting=None))
    for one in models:
        match one.policy:
            case "top" | "again":
                assert one.roles == {one.targets[0]: "target"}
            case "union":
                assert list(one.roles.values()) == ["target", "target", "other"]
            case _:
                assert one.roles == dict.fromkeys([*TEST, *TUNING], "other")
    assert sum(one.policy == "top" for one in models) == 2 * 3


def test_some_methods_have_further_k_which_the_control_has_too() -> None:
    further = {"methods": ["pixel"], "k": [10]}
    models = study_models(study(counterfactual={"more": further}))
    ks = {(one.method, one.k) for one in models if one.policy == "top"}
    assert ks == {("unlearning", 20), ("pixel", 10), ("pixel", 20)}
    assert {one.k for one in models if one.policy == "random"} >= {10, 20}


def test_every_nth_model_is_trained_from_another_seed(tmp_path: Path) -> None:
    again = [one for one in study_models(study()) if one.policy == "again"]
    found = [(one.method, one.k, one.training_seed) for one in again]
    assert found == [("unlearning", 20, 1), ("pixel", 20, 1)]
    query = again[0].targets[0]
    assert again[0].outcome == f"retrained/again-unlearning/{query}-seed1/k20/outcome.safetensors"
    path = scores_of(tmp_path, query, [0.1, 0.9, 0.5])
    assert again[0].inputs == {"scores": [f"attribution/unlearning/{query}.npy"]}
    assert rows(Removal("again", "m", 1, 1, targets=(query,)), 3, scores=[path]) == [1]
    rare = study(counterfactual={"again": {"seed": 1, "every": 50}})
    rarely = [one.method for one in study_models(rare) if one.policy == "again"]
    assert rarely == ["unlearning", "pixel"]
    # Another list of methods has the same models of a method.
    fewer = [one for one in study_models(study(methods=["pixel"])) if one.policy == "again"]
    assert fewer == again[1:]


def test_settings_may_be_compared_by_one_model_for_all_tuning_queries(tmp_path: Path) -> None:
    tuning = {"together": True, "k": [2], "methods": ["pixel"]}
    one, *controls = tuning_models(study(tuning=tuning, queries={"tuning": 2}))
    assert one.outcome == "retrained/pixel/together/k2/outcome.safetensors"
    assert one.roles == {"t000": "target", "t001": "target"}
    assert {control.policy for control in controls} == {"together", "nothing"}
    [random] = [control for control in controls if control.method == "random"]
    assert random.outcome.split("/")[1:4] == ["random", "together0", "k2"]
    assert random.inputs == {}
    assert 2 <= len(rows(random, 100)) <= 4
    scores = [
        scores_of(tmp_path, "t000", [0.1, 0.9, 0.5, 0.2]),
        scores_of(tmp_path, "t001", [0.9, 0.8, 0.1, 0.2]),
    ]
    assert rows(one, 4, scores=scores) == [0, 1, 2]


def test_checked_models_are_evaluated_on_other_and_related_prompts_too() -> None:
    checked = [one for one in study_models(study()) if one.related]
    assert {one.method for one in checked} == {"unlearning"}
    others = dict.fromkeys(["q001", "q002"], "other")
    related = dict.fromkeys(["q000-r00", "q000-r01"], "related")
    assert checked[0].roles == {"q000": "target", **others, **related}


def test_the_top_k_are_the_best_scores_and_ties_go_to_the_lower_row(tmp_path: Path) -> None:
    path = scores_of(tmp_path, "q000", [0.1, 0.9, 0.5, 0.9, 0.2])
    one = Removal("top", "m", 3, 0, targets=("q000",))
    assert rows(one, 5, scores=[path]) == [1, 3, 2]


def test_a_union_holds_every_row_of_its_sets_once(tmp_path: Path) -> None:
    paths = [
        scores_of(tmp_path, "q000", [4, 3, 2, 1, 0]),
        scores_of(tmp_path, "q001", [0, 3, 1, 2, 4]),
    ]
    one = Removal("union", "m", 2, 0, number=0, targets=("q000", "q001"))
    assert rows(one, 5, scores=paths) == [0, 1, 4]


def test_a_random_union_has_sets_of_its_own() -> None:
    one, two = (
        Removal("union", "random", 50, 0, number=n, set_seed=0, targets=("q000", "q001"))
        for n in (0, 1)
    )
    found = rows(one, 1000)
    assert 50 < len(found) <= 100
    assert len(set(found)) == len(found)
    assert found == rows(one, 1000) != rows(two, 1000)
    control = random_set(1000, 50, number=0, seed=0).tolist()
    assert not set(control) <= set(found)


def test_unions_take_consecutive_queries_and_others_that_are_none_of_theirs() -> None:
    union = {"methods": ["pixel"], "k": 20, "queries": 2, "others": 2, "sets": 3}
    found = list(unions(study(queries={"test": 6}, counterfactual={"union": union})))
    assert found[0].inputs == {"scores": [f"attribution/pixel/q00{i}.npy" for i in range(2)]}
    assert all(one.inputs == {} for one in found if one.method == "random")
    assert [(one.targets, one.others) for one in found if one.method == "pixel"] == [
        (("q000", "q001"), ("q002", "q003")),
        (("q002", "q003"), ("q004", "q005")),
        (("q004", "q005"), ("q000", "q001")),
    ]
    assert sum(one.method == "random" for one in found) == 3


def test_a_group_is_its_members_and_nothing_is_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "groups.npy", np.array([1, 0, 1, 2]))
    group = Removal("group", "group", 2, 0, number=1)
    assert rows(group, 4, groups=[tmp_path / "groups.npy"]) == [0, 2]
    assert rows(Removal("nothing", "no_removal", 0, 3), 4) == []


def test_an_ensemble_is_of_further_seeds() -> None:
    models = ensemble_models(study(), source_seeds(study()))
    assert [one.training_seed for one in models] == [1]  # of TRAK's [0, 1]


def test_random_sets_are_nested_distinct_and_uniform() -> None:
    small, large = (random_set(1000, k, number=0, seed=0) for k in (100, 400))
    assert len(set(large.tolist())) == 400
    assert np.array_equal(large[:100], small)
    assert set(small) != set(random_set(1000, 100, number=1, seed=0))
    counts = np.zeros(50)
    for number in range(400):
        counts[random_set(50, 10, number=number, seed=3)] += 1
    # Each image is in a set with probability 1/5: 80 ± 8 times.
    assert abs(counts - 80).max() < 5 * 8


def test_each_query_has_topic_sets_of_its_own_at_each_k_of_all_methods() -> None:
    further = {"more": {"methods": ["pixel"], "k": [10]}, "topic": {"sets": 2, "seed": 4}}
    e = study(counterfactual={**further, "queries": 2})
    found = list(topic_sets(e))
    assert [(one.targets, one.number, one.k) for one in found] == [
        ((query,), number, k) for query in TEST[:2] for number in (0, 1) for k in (20,)
    ]
    assert found[0].outcome == "retrained/topic/q000-s0/k20/outcome.safetensors"
    assert found[0].inputs == {"topic": ["topics/k20/q000.npy"]}
    assert found[0].roles == {"q000": "target"}
    assert set(found) <= set(study_models(e))
    assert not list(topic_sets(study()))


def test_topic_sets_are_drawn_from_the_topic_and_filled_up_with_others(tmp_path: Path) -> None:
    topic = np.arange(3, 1000, 5)
    np.save(tmp_path / "topic.npy", topic)
    one = Removal("topic", "topic", 50, 0, 1, 4, targets=("q007",))
    drawn = rows(one, 1000, topic=[tmp_path / "topic.npy"])
    of_q007: dict[str, Any] = {"query": "q007", "number": 1, "seed": 4}
    assert drawn == topic_set(1000, 50, topic, **of_q007).tolist()
    assert len(set(drawn)) == 50
    assert set(drawn) <= set(topic)
    for other in ({"query": "q008"}, {"number": 0}, {"seed": 5}):
        assert set(drawn) != set(topic_set(1000, 50, topic, **{**of_q007, **other}))
    larger = topic_set(1000, 300, topic, **of_q007)
    assert larger[:50].tolist() == drawn
    assert set(larger[:200]) == set(topic)
    assert len({*larger[200:]} - {*topic}) == 100
    # Query 0 has no random set of the other control.
    first = topic_set(1000, 50, np.arange(1000), query="q000", number=0, seed=0)
    assert set(first) != set(random_set(1000, 50, number=0, seed=0))


def test_topic_sets_are_uniform_over_the_topic() -> None:
    counts = np.zeros(50)
    for number in range(400):
        counts[topic_set(50, 5, np.arange(25), query="q001", number=number, seed=3)] += 1
    # Each image on the topic is in a set with probability 1/5: 80 ± 8 times.
    assert abs(counts[:25] - 80).max() < 5 * 8
    assert not counts[25:].any()


def test_galleries_show_one_model_without_removal_and_one_of_each_random_k() -> None:
    sets: dict[str, Any] = {"random": {"sets": 3, "k": [40], "seed": 0}, "k": [20], "again": None}
    two_seeds = study(counterfactual={**sets, "retrain_seeds": [1, 2]})
    shown = [one for one in study_models(two_seeds) if one.pictured]
    assert [one.training_seed for one in shown if one.arm == "no_removal"] == [1]
    assert [(one.number, one.k) for one in shown if one.arm == "random"] == [(0, 20)]
    assert any(one.arm == "pixel" for one in shown)
    alone = study_models(study(counterfactual={**sets, "retrain_seeds": []}))
    assert any(one.pictured for one in alone)
