"""Fills a configuration's sections of methods: what families know by name, and tuning's settings.

All of this happens to the mapping of keys to values, before it is validated. What is malformed is
left as it is, and the types refuse it with a sentence.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment
from leavekout.config.reading import Merged, validated
from leavekout.methods import registry
from leavekout.methods.registry import FAMILIES, KEYS, SECTIONS

AnyExperiment = TypeVar("AnyExperiment", bound=Experiment)
_Tree = dict[str, Any]
_FileOf = Callable[..., str]
# Keys that name methods, which a family may know.
_NAMING = (
    ("methods",),
    ("tuning", "methods"),
    ("tuning", "settings"),
    ("forgetting", "methods"),
    ("counterfactual", "more", "methods"),
    ("counterfactual", "union", "methods"),
)


def read(said: Merged, kind: type[AnyExperiment]) -> AnyExperiment:
    """The validated experiment of a kind, with the entries of its methods.

    Raises:
        InputError: one sentence for each problem.
    """
    experiment = validated(with_entries(said.tree, said.file_of), said, kind)
    registry.check(experiment, said.file_of)
    return experiment


def with_entries(tree: _Tree, file_of: _FileOf) -> _Tree:
    """The configuration with an entry for every method that it names and a family knows.

    An entry that is there changes some keys of what the family knows by that name. Each of
    `tuning.settings` becomes an entry, too, and is added to `tuning.methods`.
    """
    tree = _filled(tree)
    tree = _filled(_with_variants(tree, file_of))
    for family in FAMILIES:
        tree = dict(family.completed(tree))
    return tree


def _filled(tree: _Tree) -> _Tree:
    """With what families know by the names that are used, below what the configuration says."""
    sections = {key: dict(tree.get(key) or {}) for key in KEYS if _is_mapping(tree.get(key) or {})}
    wanted = [(key, name) for key in SECTIONS for name in _named(tree)]
    wanted += [(key, name) for key in KEYS for name in sections.get(key, ())]
    done = set()
    while wanted:
        key, name = wanted.pop()
        entries, known = sections.get(key), KEYS[key].known.get(name)
        if entries is None or (key, name) in done:
            continue
        done.add((key, name))
        if known is not None:
            said = entries.get(name, {})
            entries[name] = {**known, **said} if _is_mapping(said) else said
        family = next((one for one in FAMILIES if one.section == key), None)
        if family and _is_mapping(entries.get(name)):
            wanted += family.references(entries[name])
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


def _with_variants(tree: _Tree, file_of: _FileOf) -> _Tree:
    """The configuration with an entry for each of `tuning.settings`, and these in `tuning.methods`.

    Raises:
        InputError: a method has another number of settings than the first, or no entry that they
            could change, or a variant's name is taken.
    """
    tuning = tree.get("tuning")
    settings = tuning.get("settings") if isinstance(tuning, Mapping) else None
    if not isinstance(settings, Mapping) or not isinstance(tuning, Mapping):
        return tree
    names = tuning.get("methods") or []
    if not isinstance(names, list):
        return tree
    changed: dict[str, _Tree] = {}
    names = list(names)
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
        mappings = {s: tree[s] for s in SECTIONS if _is_mapping(tree.get(s))}
        section = next((s for s, entries in mappings.items() if method in entries), None)
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
