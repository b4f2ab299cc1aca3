"""The families of methods, in the order in which their rules are included."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from pydantic import Field, create_model

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf
from leavekout.config.download import Download
from leavekout.config.experiment import Experiment
from leavekout.config.fields import Name
from leavekout.methods.distilled.family import DISTILLED
from leavekout.methods.dmin.family import DMIN
from leavekout.methods.ekfac_influence.family import EKFAC_INFLUENCE
from leavekout.methods.embeddings.family import EMBEDDINGS
from leavekout.methods.external.family import EXTERNAL
from leavekout.methods.family import Family, KeyInfo, Need
from leavekout.methods.influence.family import INFLUENCE
from leavekout.methods.patches.family import PATCHES
from leavekout.methods.pixel.family import PIXEL
from leavekout.methods.unlearning.family import UNLEARNING
from leavekout.planning.costs import Cost, Costs

FAMILIES: tuple[Family, ...] = (
    *(UNLEARNING, EMBEDDINGS, PIXEL, INFLUENCE, EKFAC_INFLUENCE, DMIN, PATCHES, DISTILLED),
    EXTERNAL,
)
# All keys of the configuration that belong to families, and those whose entries are methods.
KEYS = {key: info for family in FAMILIES for key, info in family.keys().items()}
SECTIONS = tuple(family.section for family in FAMILIES if family.key)
# Names that no entry may have: they have another meaning, or a CSV file reads them as missing.
_RESERVED = ("random", "topic", "no_removal", "group", "union", "replica", "oracle", "null", "nan")
_TAKEN = "has a name that is taken; choose another"


def with_families(base: type[Experiment]) -> Any:
    """The experiment with the sections of all families."""
    fields: dict[str, Any] = {
        key: (Mapping[Name, info.entry], Field({}, description=_documentation(info)))
        for key, info in KEYS.items()
    }
    return create_model("ExperimentWithMethods", __base__=base, __doc__=base.__doc__, **fields)


def _documentation(info: KeyInfo) -> str:
    """A key's text, and the entries that need not be written."""
    if not info.built_in:
        return info.text
    entries = []
    for name, values in info.built_in.items():
        keys = ", ".join(f"`{key}: {str(value).lower()}`" for key, value in values.items())
        entries.append(f"- `{name}`: {keys}" if keys else f"- `{name}`")
    about = "These entries need not be written. One that is changes the keys that it has:"
    return "\n".join([info.text, "", about, "", *entries])


def sections_of_files() -> list[str]:
    """The sections whose entries name the user's own files."""
    return [family.section for family in FAMILIES if family.from_elsewhere]


def family_of(e: Experiment, method: str) -> Family | None:
    """The family of a method; None if the method has a rule of its own."""
    return next((family for family in FAMILIES if method in family.entries(e)), None)


def built_in_names() -> list[str]:
    """The methods that need no entry."""
    return [name for family in FAMILIES for name in family.built_in()]


def scored_here(e: Experiment, method: str) -> bool:
    """Whether a method's scores are computed by this study."""
    family = family_of(e, method)
    return family is None or not family.from_elsewhere


def scored_methods(e: Experiment) -> list[str]:
    """The methods that are tested or compared on tuning queries."""
    return [*dict.fromkeys([*e.methods, *(e.tuning.methods if e.tuning else [])])]


def check(e: Experiment, file_of: FileOf) -> None:
    """Raises InputError if two methods have one name, or an entry cannot work."""

    def refuse(*problem: str) -> NoReturn:
        *key, reason = problem
        raise InputError(f"{file_of(*key)}: '{'.'.join(key)}' {reason}.")

    seen: dict[str, str] = {}
    for section in SECTIONS:
        for name in getattr(e, section):
            if name in _RESERVED or name in PIXEL.built_in():
                refuse(section, name, _TAKEN)
            if name in seen:
                refuse(section, name, f"has a name that is under '{seen[name]}', too")
            seen[name] = section
    for name in e.methods:  # also those of rule files; the oracle is a method
        if name in {*_RESERVED} - {"oracle"} or name.startswith("again-"):
            raise InputError(f"{file_of('methods')}: '{name}' {_TAKEN}.")
    used = {*scored_methods(e)}
    for family in FAMILIES:
        for problem in family.all_problems(e, used):
            refuse(*problem)


def needs(e: Experiment) -> Iterator[Need]:
    """What the scored methods need of the denoiser."""
    for method in scored_methods(e):
        if family := family_of(e, method):
            yield from family.needs(e, method)


def source_seeds(e: Experiment, *methods: str) -> list[int]:
    """Training seeds of the source models of some methods; of all entries unless given."""
    names = methods or [name for section in SECTIONS for name in getattr(e, section)]
    families = [(family_of(e, name), name) for name in names]
    seeds = [seed for family, name in families if family for seed in family.source_seeds(e, name)]
    return [*dict.fromkeys(seeds)]


def downloads(e: Experiment) -> dict[str, Download]:
    """The published files that methods need, by the method's name."""
    return {name: file for family in FAMILIES for name, file in family.downloads(e).items()}


def scoring_cost(costs: Costs, method: str) -> Cost:
    """The expected cost of a job that scores queries by a method."""
    family = family_of(costs.e, method)
    assert family, method
    return family.cost(costs, method)


def preparation(e: Experiment, method: str) -> list[str] | None:
    """Benchmark files of the jobs that prepare a method's scores; None if they are unknown."""
    family = family_of(e, method)
    return None if family is None else [f"{path}.tsv" for path in family.preparation(e, method)]
