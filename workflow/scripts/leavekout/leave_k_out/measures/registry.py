"""The measures: each file of this folder with a `MEASURE`."""

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Sequence
from functools import cache

from leavekout.base.errors import InputError
from leavekout.leave_k_out import measures
from leavekout.leave_k_out.measures.measure import Measure


@cache
def all_measures() -> dict[str, Measure]:
    """Every measure there is, by name."""
    modules = [
        importlib.import_module(f"{measures.__name__}.{module.name}")
        for module in pkgutil.iter_modules(measures.__path__)
    ]
    return {m.MEASURE.name: m.MEASURE for m in modules if hasattr(m, "MEASURE")}


def measure(name: str) -> Measure:
    """The measure of a name; raises InputError, which lists all measures, if there is none."""
    if name not in all_measures():
        raise InputError(
            f"measures: '{name}' is not a measure; the measures are {', '.join(all_measures())}."
        )
    return all_measures()[name]


def measures_in(names: Iterable[str]) -> list[Measure]:
    """The measures of a table's column `measure`, in the order in which they first appear."""
    return [measure(name) for name in dict.fromkeys(names)]


def chosen(names: Sequence[str], encoders: Collection[str]) -> list[Measure]:
    """The measures of a configuration.

    Args:
        encoders: those that the configuration trains or fetches.

    Raises:
        InputError: a measure is unknown, or its encoder is missing.
    """
    measures = [measure(name) for name in names]
    for one in measures:
        if one.encoder and one.encoder not in encoders:
            raise InputError(
                f"measures: '{one.name}' needs the encoder '{one.encoder}', which is not among "
                f"the encoders of this configuration ({', '.join(sorted(encoders))})."
            )
    return measures
