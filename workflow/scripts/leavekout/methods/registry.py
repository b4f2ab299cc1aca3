"""The families of methods. A family's place in this list is where its rules are included."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from pydantic import Field, create_model

from leavekout.base.errors import InputError
from leavekout.config.checks import FileOf
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
# Keys of the configuration that families have, by name.
KEYS: dict[str, KeyInfo] = {key: info for one in FAMILIES for key, info in one.keys.items()}
# Of these, the sections whose entries are methods.
SECTIONS = tuple(one.section for one in FAMILIES if one.section in KEYS)
# Names that are no entry's: they are taken, or are no value in a CSV file.
_RESERVED = ("random", "no_removal", "group", "union", "replica", "oracle", "null", "nan")
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
    if not info.known:
        return info.text
    entries = [
        f"- `{name}`" + (f": {_in_words(values)}" if values else "")
        for name, values in info.known.items()
    ]
    about = "These entries need not be written. One that is changes the keys that it has:"
    return "\n".join([info.text, "", about, "", *entries])


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}: {str(value).lower()}`" for key, value in values.items())


def sections_of_files() -> list[str]:
    """The sections whose entries name files of whoever runs the study."""
    return [one.section for one in FAMILIES if one.from_elsewhere]


def family_of(e: Experiment, method: str) -> Family | None:
    """The family of a method; None for one that has a rule of its own."""
    return next((one for one in FAMILIES if method in one.entries(e)), None)


def known_names() -> list[str]:
    """The methods that need no entry."""
    return [name for one in FAMILIES for name in one.known()]


def scored_here(e: Experiment, method: str) -> bool:
    """Whether a method's scores are computed by this study."""
    family = family_of(e, method)
    return family is None or not family.from_elsewhere


def scored_methods(e: Experiment) -> list[str]:
    """The methods that are under test or compared on tuning queries."""
    return [*dict.fromkeys([*e.methods, *(e.tuning.methods if e.tuning else [])])]


def check(e: Experiment, file_of: FileOf) -> None:
    """Refuses two methods of one name, and entries that cannot work; raises InputError."""

    def refuse(*key: str, reason: str) -> NoReturn:
        raise InputError(f"{file_of(*key)}: '{'.'.join(key)}' {reason}.")

    seen: dict[str, str] = {}
    for section in SECTIONS:
        for name in getattr(e, section):
            if name in _RESERVED or name in PIXEL.known():
                refuse(section, name, reason=_TAKEN)
            if name in seen:
                refuse(section, name, reason=f"has a name that is under '{seen[name]}', too")
            seen[name] = section
    for name in e.methods:  # of rule files, too; the oracle is a method
        if name in {*_RESERVED} - {"oracle"} or name.startswith("again-"):
            raise InputError(f"{file_of('methods')}: '{name}' {_TAKEN}.")
    used = {*scored_methods(e)}
    for family in FAMILIES:
        family.check(e, refuse, used)


def needs(e: Experiment) -> Iterator[Need]:
    """What the methods under test need of the denoiser."""
    for method in scored_methods(e):
        if family := family_of(e, method):
            yield from family.needs(e, method)


def source_seeds(e: Experiment, *methods: str) -> list[int]:
    """Training seeds of the source models of some methods, or of all entries."""
    names = methods or [name for section in SECTIONS for name in getattr(e, section)]
    found = [family.source_seeds(e, name) for name in names if (family := family_of(e, name))]
    return [*dict.fromkeys(seed for seeds in found for seed in seeds)]


def scoring_cost(costs: Costs, method: str) -> Cost:
    """What a job that scores queries by a method is expected to cost."""
    family = family_of(costs.e, method)
    assert family, method
    return family.cost(costs, method)


def preparation(e: Experiment, method: str) -> list[str] | None:
    """Benchmark files of the jobs that prepare a method's scores; None if that is not known."""
    family = family_of(e, method)
    return None if family is None else [f"{path}.tsv" for path in family.preparation(e, method)]
