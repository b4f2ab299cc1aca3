"""Completes the sections of methods: built-in entries, and the settings that tuning compares.

This happens to the plain mapping, before it is validated. Malformed values stay as they are, and
the types then refuse them with a sentence.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf
from leavekout.config.experiment import Experiment
from leavekout.config.reading import Merged, validated
from leavekout.methods import registry
from leavekout.methods.registry import FAMILIES, KEYS, SECTIONS

AnyExperiment = TypeVar("AnyExperiment", bound=Experiment)
_Tree = dict[str, Any]
# The keys under which a configuration names methods.
_NAMING = (
    ("methods",),
    ("tuning", "methods"),
    ("tuning", "settings"),
    ("forgetting", "methods"),
    ("counterfactual", "more", "methods"),
    ("counterfactual", "union", "methods"),
)


def read(config: Merged, kind: type[AnyExperiment]) -> AnyExperiment:
    """The validated experiment of a kind, with the entries of its methods.

    Raises:
        InputError: one sentence for each problem.
    """
    experiment = validated(with_entries(config.tree, config.file_of), config, kind)
    registry.check(experiment, config.file_of)
    return experiment


def with_entries(tree: _Tree, file_of: FileOf) -> _Tree:
    """The configuration with an entry for every built-in method that it names.

    An entry that is written changes some keys of the built-in one. Each of `tuning.settings`
    becomes an entry, too, and is added to `tuning.methods`. Methods of `without` are in no list. An
    entry that is null is none.
    """
    tree = _with_built_in(_without(_without_nulls(tree), file_of))
    tree = _with_built_in(_with_variants(tree, file_of))
    for family in FAMILIES:
        tree = dict(family.completed(tree, {*_named(tree)}))
    return tree


def _without_nulls(tree: _Tree) -> _Tree:
    """The configuration without entries that a later file took away by null."""
    sections = {key: tree[key] for key in {*SECTIONS, *KEYS} if _is_mapping(tree.get(key))}
    kept = {
        key: {name: entry for name, entry in entries.items() if entry is not None}
        for key, entries in sections.items()
    }
    return {**tree, **kept}


def _without(tree: _Tree, file_of: FileOf) -> _Tree:
    """The configuration with the methods of `without` taken out of all lists that name methods.

    Raises:
        InputError: one of them is no method that the configuration or a family knows.
    """
    names = tree.get("without")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return tree
    entries = [name for section in SECTIONS for name in _keys(tree.get(section))]
    known = dict.fromkeys([*_named(tree), *entries, *registry.built_in_names()])
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
            raise InputError(
                f"{file_of('without')}: 'without' names '{name}', which is no method here; the "
                f"nearest is '{near}'."
            )
    for path in _NAMING:
        tree = _reduced(tree, path, {*names})
    return tree


def _reduced(tree: _Tree, path: Sequence[str], names: set[str]) -> _Tree:
    """A mapping whose list or mapping of methods under a path is without some of them."""
    key, *rest = path
    value = tree.get(key)
    if isinstance(value, list) and not rest:
        return {**tree, key: [name for name in value if name not in names]}
    if isinstance(value, Mapping):
        kept = {name: item for name, item in value.items() if name not in names}
        return {**tree, key: _reduced(dict(value), rest, names) if rest else kept}
    return tree


def _keys(section: Any) -> Iterable[str]:
    return section if isinstance(section, Mapping) else ()


def _with_built_in(tree: _Tree) -> _Tree:
    """Adds the built-in entries of the names that are used, below what is written."""
    sections = {key: dict(tree.get(key) or {}) for key in KEYS if _is_mapping(tree.get(key) or {})}
    families = {family.section: family for family in FAMILIES}
    # Scores that come from elsewhere are not computed, whatever their name.
    files = [name for key in registry.sections_of_files() for name in _keys(tree.get(key))]
    wanted = [(key, name) for key in SECTIONS for name in _named(tree) if name not in files]
    wanted += [(key, name) for key in KEYS for name in sections.get(key, ())]
    done = set()
    while wanted:
        key, name = wanted.pop()
        entries, built_in = sections.get(key), KEYS[key].built_in.get(name)
        if entries is None or (key, name) in done:
            continue
        done.add((key, name))
        if built_in is not None:
            written = entries.get(name, {})
            entries[name] = {**built_in, **written} if _is_mapping(written) else written
        if key in families and _is_mapping(entries.get(name)):
            wanted += families[key].references(entries[name])
    return {**tree, **{key: entries for key, entries in sections.items() if entries or key in tree}}


def _named(tree: _Tree) -> Iterable[str]:
    """The methods that a configuration names."""
    for path in _NAMING:
        value: Any = tree
        for key in path:
            value = value.get(key) if _is_mapping(value) else None
        if isinstance(value, Mapping | list):
            yield from (name for name in value if isinstance(name, str))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def variant_name(method: str, number: int) -> str:
    """The name under which a setting of a method is scored: `unlearning-t0`."""
    return f"{method}-t{number}"


def _with_variants(tree: _Tree, file_of: FileOf) -> _Tree:
    """Adds an entry for each of `tuning.settings`, and its name to `tuning.methods`.

    Raises:
        InputError: methods have different numbers of settings, a method has no entry to change, or
            the name of a variant is taken.
    """
    tuning = tree.get("tuning")
    settings = tuning.get("settings") if isinstance(tuning, Mapping) else None
    if not isinstance(settings, Mapping) or not isinstance(tuning, Mapping):
        return tree
    names = tuning.get("methods") or []
    if not isinstance(names, list):
        return tree
    names = list(names)
    changed: dict[str, _Tree] = {}
    first = next(iter(settings), "")
    for method, choices in settings.items():
        if not isinstance(choices, list) or not all(_is_mapping(choice) for choice in choices):
            return tree
        if len(choices) != len(settings[first]):
            raise InputError(
                f"{file_of('tuning', 'settings')}: 'tuning.settings' gives '{method}' "
                f"{len(choices)} and '{first}' {len(settings[first])} to choose from; give every "
                "method as many."
            )
        sections = (s for s in SECTIONS if _is_mapping(tree.get(s)) and method in tree[s])
        section = next(sections, None)
        if section is None:
            raise InputError(
                f"{file_of('tuning', 'settings', method)}: 'tuning.settings.{method}' is no entry "
                f"of {', '.join(SECTIONS)}, whose keys its settings could change."
            )
        entries = changed.setdefault(section, dict(tree[section]))
        if not _is_mapping(entries[method]):
            return tree
        for number, choice in enumerate(choices):
            name = variant_name(method, number)
            if name in names and name in entries:
                continue  # the configuration was read before
            if name in entries:
                raise InputError(
                    f"{file_of(section, name)}: '{section}.{name}' has the name of setting "
                    f"{number} of '{method}' under 'tuning.settings'; choose another."
                )
            entries[name] = {**entries[method], **choice}
            names.append(name)
    return {**tree, **changed, "tuning": {**tuning, "methods": names}}
