"""The settings that a method is tuned over, as entries of the configuration of their own."""

from collections.abc import Callable, Mapping
from typing import Any

from leavekout.errors import InputError

SECTIONS = ("unlearning", "embeddings", "influence", "ekfac_influence", "patches", "distilled")
_Tree = dict[str, Any]


def variant_name(method: str, number: int) -> str:
    """The name under which a setting of a method is scored: `unlearning-t0`."""
    return f"{method}-t{number}"


def with_variants(tree: _Tree, file_of: Callable[..., str]) -> _Tree:
    """The configuration with an entry for each of `tuning.settings`, and these in `tuning.methods`.

    Args:
        file_of: names the file that has a key.

    Raises:
        InputError: a method has another number of settings than the first, or no entry that they
            could change, or a variant's name is taken.
    """
    tuning = tree.get("tuning")
    settings = tuning.get("settings") if isinstance(tuning, Mapping) else None
    if not isinstance(settings, Mapping) or not isinstance(tuning, Mapping):
        return tree
    changed: dict[str, _Tree] = {}
    names = tuning.get("methods") or []
    if not isinstance(names, list):
        return tree  # which the types refuse, with a sentence, as what is left as it is below
    names = list(names)
    numbers: dict[str, int] = {}
    for method, choices in settings.items():
        if not isinstance(choices, list) or not all(isinstance(c, Mapping) for c in choices):
            return tree
        numbers[method] = len(choices)
        first = next(iter(numbers))
        if numbers[method] != numbers[first]:
            raise InputError(
                f"{file_of('tuning', 'settings')}: 'tuning.settings' gives '{method}' "
                f"{numbers[method]} and '{first}' {numbers[first]} to choose from; give every "
                "method as many."
            )
        sections = {s: tree.get(s) for s in SECTIONS}
        mappings = {s: entries for s, entries in sections.items() if isinstance(entries, Mapping)}
        section = next((s for s, entries in mappings.items() if method in entries), None)
        if section is None:
            raise InputError(
                f"{file_of('tuning', 'settings', method)}: 'tuning.settings.{method}' is no entry "
                f"of {', '.join(SECTIONS)}, whose keys its settings could change."
            )
        entries = changed.setdefault(section, dict(tree[section]))
        if not isinstance(entries[method], Mapping):
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
