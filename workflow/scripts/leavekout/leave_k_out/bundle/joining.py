"""Whether a study may join a published one: all settings that change numbers must be equal."""

from collections.abc import Iterator, Mapping, Set
from pathlib import Path, PurePosixPath
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.fields import spelled_out
from leavekout.config.reading import merge, merged, read_yaml
from leavekout.leave_k_out.bundle.artifacts import MEASUREMENTS
from leavekout.leave_k_out.bundle.files import Bundle, fetch_bundle, read_bundle
from leavekout.leave_k_out.bundle.trust import (
    require_artifacts_of_the_study,
    require_harmless_configuration,
)
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.removals import ensemble_models
from leavekout.methods import entries, registry

# Keys that a study that joins may set freely: they change no number of the published study.
_FREE = {
    *("experiment", "methods", "without", "tuning", "joins", "hardware", "report"),
    *("extra_rules", "extra"),
    *("dataset.root", "encoders.endpoint", "counterfactual.keep_models"),
}
# Keys to which a further part of a study may add values, but not take any away.
_GROWING = {
    *("methods", "counterfactual.k", "counterfactual.retrain_seeds"),
    *(f"counterfactual.random.{key}" for key in ("sets", "k", "half_size_sets")),
    "counterfactual.topic.sets",
    *("counterfactual.more.methods", "counterfactual.more.k"),
    *("counterfactual.union.methods", "counterfactual.union.sets"),
}
# Sections that it may have if the earlier part had none.
_LATER = {
    "dataset.topics",
    *(f"counterfactual.{key}" for key in ("more", "again", "union", "topic")),
}


def settings_of(experiment: LeaveKOut) -> dict[str, Any]:
    """All settings that change numbers, defaults included."""
    settings = spelled_out(experiment)
    for name in {*_FREE, *registry.sections_of_files()}:
        *sections, key = name.split(".")
        section = settings
        for step in sections:
            section = section[step]
        section.pop(key, None)
    return settings


def bundle_of(experiment: LeaveKOut, *, training_loop: int) -> Bundle:
    """The bundle of the study that an experiment joins.

    Args:
        training_loop: the version of the training loop; only trainings by one version compare.

    Raises:
        InputError: the bundle is invalid, of another version, or of a study with other settings;
            names the first of these.
    """
    joins = experiment.joins
    assert joins
    folder = Path(joins.bundle)
    if joins.url and joins.md5 and not folder.exists():
        fetch_bundle(joins.url, joins.md5, folder)
    bundle = read_bundle(folder)
    if bundle.about.training_loop != training_loop:
        raise InputError(
            f"{bundle.folder}: made by version {bundle.about.training_loop} of the training "
            f"loop, and this is version {training_loop}; their models are not comparable. "
            "Fetch the study's newer bundle, or use the commit that made this one "
            f"({bundle.about.commit})."
        )
    configuration = read_yaml(bundle.study)
    require_harmless_configuration(bundle, configuration, experiment)
    require_artifacts_of_the_study(bundle, experiment)
    published = entries.read(merged({}, [bundle.study]), LeaveKOut)
    _require_own_tuning(experiment, bundle)
    ours, theirs = spelled_out(experiment), spelled_out(published)
    # Its file has no defaults; the bundle has those of the version that made it.
    theirs = merge(theirs, bundle.about.settings)
    for section in registry.KEYS:  # compares what both have, and all methods of the published study
        compared = {*ours[section], *bundle.about.methods} & {*theirs[section]}
        theirs[section] = {name: theirs[section][name] for name in sorted(compared)}
        ours[section] = {name: ours[section].get(name) for name in theirs[section]}
    if joins.continues:
        _require_another_place(experiment, bundle)
        free = _FREE - _GROWING
    else:
        free = _FREE
    for key, mine, there in _differences(ours, theirs, free):
        if joins.continues and _adds(key, mine, there):
            continue
        may = (
            "a further part of a study may only add methods, K, random sets, seeds and unions"
            if joins.continues
            else "a study that joins another may differ in methods, 'hardware' and 'report' alone"
        )
        raise InputError(
            f"'{key}' is {mine!r}, but {there!r} in the study that is joined ({bundle.folder}): "
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
    """Artifacts of a bundle, and folders of them, that this study does not take.

    - Artifacts of methods that it does not have.
    - Measurements, if it continues the study: its arms may have more models.
    - Source models of other seeds that a new method averages over. The bundle has their outcomes
      without their weights, so they are trained again.
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
    """Whether a key's value in a further part of a study contains its earlier value."""
    if there is None:
        return key in _LATER
    if key not in _GROWING:
        return False
    return set(there) <= set(mine) if isinstance(there, list) else mine >= there


def _require_another_place(experiment: LeaveKOut, bundle: Bundle) -> None:
    """Refuses a study that would replace the bundle that it continues."""
    own = Path("results") / experiment.experiment
    if bundle.folder.resolve().is_relative_to(own.resolve()):
        raise InputError(
            f"{bundle.folder}: the study writes its own bundle here. On the same machine a study "
            "continues without a bundle; elsewhere, put the earlier bundle into another folder."
        )


def _require_own_tuning(experiment: LeaveKOut, bundle: Bundle) -> None:
    """Refuses to tune methods of the published study, whose bundle has no tuning scores."""
    tuned = set(experiment.tuning.methods if experiment.tuning else [])
    for method in sorted(tuned & set(bundle.about.methods)):
        raise InputError(
            f"'tuning' names '{method}', a method of the study that is joined. Its bundle "
            f"({bundle.folder}) has scores of test queries alone; tune your own methods."
        )


def joined_methods(experiment: LeaveKOut, bundle: Bundle) -> list[str]:
    """The methods that the published study of someone else does not have."""
    if experiment.joins is None or experiment.joins.continues:
        return []
    return [method for method in experiment.methods if method not in bundle.about.methods]
