"""What is known of each method: how it works, its paper and its settings."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd
from pydantic import BaseModel

from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family
from leavekout.methods.registry import FAMILIES, KEYS, SECTIONS, family_of


@dataclass(frozen=True)
class Facts:
    """What docs/methods.md says of a method, in its Markdown.

    Args:
        family: the name of its family; how: what it does; where: its code.
        paper: the paper it follows; empty if it has no row of its own.
    """

    family: str
    how: str
    where: str
    paper: str


def all_facts(document: str) -> dict[str, Facts]:
    """The facts of each method that docs/methods.md lists, in its order."""
    papers = {
        name: row["paper"] for row in _rows(document, "methods", "paper") for name in _names(row)
    }
    found, above = {}, {"family": "", "where": ""}
    for row in _rows(document, "family", "methods"):
        for key in above:
            above[key] = row[key] or above[key]
        family = above["family"].strip("`")
        for name in _names(row):
            found[name] = Facts(family, row["how"], above["where"], papers.get(name, ""))
    return found


def _names(row: Mapping[str, str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row["methods"])


def _rows(document: str, *first: str) -> Iterator[dict[str, str]]:
    """The rows of the table whose first headings are these."""
    lines = iter(document.splitlines())
    headings: Sequence[str] = ()
    for line in lines:
        headings = _cells(line)
        if (*headings[: len(first)],) == first:
            next(lines)  # the rule below the headings
            break
    for line in lines:
        if not line.startswith("|"):
            return
        yield dict(zip(headings, _cells(line), strict=True))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def settings(method: str, studies: Mapping[str, Experiment]) -> pd.DataFrame:
    """A method's settings: default, where a study has another value, and what they mean.

    A method that is not built in has its family's defaults. A setting of gradients that methods
    share has its whole path as name.

    Args:
        studies: the experiments that have the method, by name.
    """
    family = _family(method, studies.values())
    if family is None or family.key is None or family.from_elsewhere:
        return pd.DataFrame()
    built_in = family.key.built_in.get(method, {})
    default = _described(family, family.key.entry.model_validate(built_in), _shared_by_default)
    used = {
        study: _described(family, family.entries(e)[method], partial(_shared_in, e))
        for study, e in studies.items()
    }
    rows = []
    for key in dict.fromkeys(chain(default, *used.values())):
        value = default[key].value if key in default else "–"
        of_studies = {study: found[key].value for study, found in used.items() if key in found}
        differ = [f"{study}: {other}" for study, other in of_studies.items() if other != value]
        first = next(found[key] for found in (default, *used.values()) if key in found)
        rows.append(
            {
                "setting": f"`{key}`",
                "default": value,
                "where it differs": "; ".join(differ),
                "meaning": first.meaning,
            }
        )
    return pd.DataFrame(rows)


def _family(method: str, studies: Iterable[Experiment]) -> Family | None:
    of_studies = (family_of(e, method) for e in studies)
    return next(
        (family for family in FAMILIES if method in family.built_in()), next(of_studies, None)
    )


class _Setting(NamedTuple):
    value: str
    meaning: str


def _described(
    family: Family, entry: BaseModel, shared: Callable[[str, str], BaseModel]
) -> dict[str, _Setting]:
    """The settings of an entry and of what it shares with other methods, by key.

    Args:
        shared: key of the configuration and name → the entry that is shared.
    """
    found = _of_entry(entry)
    for key, name in family.references(entry.model_dump(mode="json")):
        if key not in SECTIONS:  # those are methods, with a page of their own
            found |= _of_entry(shared(key, name), f"{key}.{name}.")
    return found


def _shared_by_default(key: str, name: str) -> BaseModel:
    return KEYS[key].entry.model_validate(KEYS[key].built_in.get(name, {}))


def _shared_in(e: Experiment, key: str, name: str) -> BaseModel:
    return getattr(e, key)[name]


def _of_entry(entry: BaseModel, prefix: str = "") -> dict[str, _Setting]:
    keys = type(entry).model_json_schema()["properties"]
    return {
        prefix + key: _Setting(_text(getattr(entry, key)), keys[key].get("description", ""))
        for key in type(entry).model_fields
    }


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case list() | dict():
            return ", ".join(map(_text, value)) or "none"
    return str(value).replace("_", r"\_")
