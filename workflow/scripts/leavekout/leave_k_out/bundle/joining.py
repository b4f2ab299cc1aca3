"""Whether a study may join a published one: all that numbers depend on must be the same."""

from collections.abc import Iterator, Mapping, Set
from pathlib import Path, PurePosixPath
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.fields import spelled_out
from leavekout.config.reading import merge, merged, read_yaml
from leavekout.leave_k_out.bundle.artifacts import MEASUREMENTS
from leavekout.leave_k_out.bundle.files import Bundle, read_bundle
from leavekout.leave_k_out.bundle.trust import (
    require_artifacts_of_the_study,
    require_harmless_configuration,
)
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.removals import ensemble_models
from leavekout.methods import entries, registry

# What a study that joins may have for itself: it changes no number of the published study.
_FREE = {
    *("experiment", "methods", "tuning", "joins", "hardware", "report", "extra_rules", "extra"),
    *("dataset.root", "encoders.endpoint", "counterfactual.keep_models"),
}
# What a further part of a study may add to, and take nothing from.
_GROWING = {
    *("methods", "counterfactual.k", "counterfactual.retrain_seeds"),
    *(f"counterfactual.random.{key}" for key in ("sets", "k", "half_size_sets")),
    *("counterfactual.more.methods", "counterfactual.more.k"),
    *("counterfactual.union.methods", "counterfactual.union.sets"),
}
# What it may have where the part before had none.
_LATER = {f"counterfactual.{key}" for key in ("more", "again", "union")}


def settings_of(experiment: LeaveKOut) -> dict[str, Any]:
    """All settings that numbers depend on, those included that were left to defaults."""
    said = spelled_out(experiment)
    for name in {*_FREE, *registry.sections_of_files()}:
        *sections, key = name.split(".")
        section = said
        for part in sections:
            section = section[part]
        section.pop(key, None)
    return said


def bundle_of(experiment: LeaveKOut, *, training_loop: int) -> Bundle:
    """The bundle of the study that an experiment joins.

    Args:
        training_loop: the version of the training loop, of which trainings are comparable.

    Raises:
        InputError: the bundle is not in order, of another version, or of a study with other
            settings, of which the first is named.
    """
    assert experiment.joins
    bundle = read_bundle(Path(experiment.joins.bundle))
    if bundle.about.training_loop != training_loop:
        raise InputError(
            f"{bundle.folder}: made by version {bundle.about.training_loop} of the training "
            f"loop, and this is version {training_loop}: models of the two cannot be compared. "
            "Fetch the study's newer bundle, or use the commit that made this one "
            f"({bundle.about.commit})."
        )
    said = read_yaml(bundle.study)
    require_harmless_configuration(bundle, said, experiment)
    require_artifacts_of_the_study(bundle, experiment)
    published = entries.read(merged(said, [bundle.study]), LeaveKOut)
    _require_own_tuning(experiment, bundle)
    ours, theirs = spelled_out(experiment), spelled_out(published)
    # What its file leaves to defaults is what those were when it was made.
    theirs = merge(theirs, bundle.about.settings)
    for section in registry.KEYS:  # of which those count that the published study has
        ours[section] = {name: ours[section].get(name) for name in theirs[section]}
    if experiment.joins.continues:
        _require_another_place(experiment, bundle)
        free = _FREE - _GROWING
    else:
        free = _FREE
    for key, mine, there in _differences(ours, theirs, free):
        if experiment.joins.continues and _adds(key, mine, there):
            continue
        may = (
            "a further part of a study may add methods, K, random sets, seeds and unions, and take "
            "none away"
            if experiment.joins.continues
            else "a study that joins another may have methods, 'hardware' and 'report' of its own, "
            "and nothing else"
        )
        raise InputError(
            f"'{key}' is {mine!r}, and {there!r} in the study that is joined ({bundle.folder}): "
            f"{may}."
        )
    return bundle.without(left_out(experiment, bundle))


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], free: Set[str], before: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Keys, with dots, whose values differ, and both values."""
    for key in {**ours, **theirs}:
        name = f"{before}{key}"
        mine, there = ours.get(key), theirs.get(key)
        if name in free or mine == there:
            continue
        if isinstance(mine, Mapping) and isinstance(there, Mapping):
            yield from _differences(mine, there, free, f"{name}.")
        else:
            yield name, mine, there


def left_out(experiment: LeaveKOut, bundle: Bundle) -> list[str]:
    """Artifacts, and folders of them, that are not taken although the bundle has them.

    Those of methods that this study leaves out. And an arm of a study that continues may have more
    models than were measured; and a bundle has no weights of source models of other seeds, so where
    a method that is scored here averages over them they are trained again, with their outcomes.
    """
    assert experiment.joins
    published, ours = {*bundle.about.methods}, {*experiment.methods}
    others = [path for method in sorted(published - ours) for path in _of_method(method)]
    measured = [MEASUREMENTS] if experiment.joins.continues else []
    seeds = registry.source_seeds(experiment, *(ours - published)) if ours - published else []
    trained = [str(PurePosixPath(one.outcome).parent) for one in ensemble_models(experiment, seeds)]
    return [*others, *measured, *trained]


def _of_method(method: str) -> list[str]:
    return [
        f"attribution/{method}",
        f"repeatability/{method}",
        f"costs/{method}.json",
        f"retrained/{method}",
        f"{MEASUREMENTS}/test/{method}.parquet",
    ]


def _adds(key: str, mine: Any, there: Any) -> bool:
    """Whether a key's value in a further part of a study holds what it was in the part before."""
    if there is None:
        return key in _LATER
    if key not in _GROWING:
        return False
    return set(there) <= set(mine) if isinstance(there, list) else mine >= there


def _require_another_place(experiment: LeaveKOut, bundle: Bundle) -> None:
    """Refuses a study that would replace the bundle that it goes on from."""
    own = Path("results") / experiment.experiment
    if bundle.folder.resolve().is_relative_to(own.resolve()):
        raise InputError(
            f"{bundle.folder}: this is where the study's own bundle goes. On one machine a study "
            "goes on without any; elsewhere, put the bundle of the part before into another folder."
        )


def _require_own_tuning(experiment: LeaveKOut, bundle: Bundle) -> None:
    """Refuses to tune methods of the published study, of which there are no tuning scores."""
    tuned = set(experiment.tuning.methods if experiment.tuning else [])
    for method in sorted(tuned & set(bundle.about.methods)):
        raise InputError(
            f"'tuning' names '{method}', a method of the study that is joined, whose bundle "
            f"({bundle.folder}) has scores of test queries alone; tune methods of your own."
        )


def joined_methods(experiment: LeaveKOut, bundle: Bundle) -> list[str]:
    """The methods that another's published study does not have."""
    if experiment.joins is None or experiment.joins.continues:
        return []
    return [method for method in experiment.methods if method not in bundle.about.methods]
