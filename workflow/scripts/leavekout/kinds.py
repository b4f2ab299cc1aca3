"""The kinds of experiment, and the choice of one for a configuration."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment
from leavekout.config.reading import Merged, merged
from leavekout.customized import checks as customized_checks
from leavekout.customized.config import CustomizedExperiment
from leavekout.customized.costs import CustomizedCosts
from leavekout.leave_k_out import checks as leave_k_out_checks
from leavekout.leave_k_out.config import LeaveKOut
from leavekout.leave_k_out.costs import LeaveKOutCosts
from leavekout.methods import entries, registry
from leavekout.models import shapes
from leavekout.planning.costs import Costs


@dataclass(frozen=True)
class Kind:
    """One kind of experiment: its configuration, its checks, and the costs of its jobs.

    Args:
        section: the key of the configuration that this kind alone has and needs.
    """

    section: str
    experiment: type[Experiment]
    check: Callable[..., None]
    costs: type[Costs]


LEAVE_K_OUT = Kind("counterfactual", LeaveKOut, leave_k_out_checks.check, LeaveKOutCosts)
CUSTOMIZED = Kind("customized", CustomizedExperiment, customized_checks.check, CustomizedCosts)


def read_experiment(given: Mapping[str, Any], files: Sequence[Path]) -> Any:
    """Validates a configuration as an experiment of its kind.

    Args:
        given, files: as in `reading.merged`.

    Raises:
        InputError: one sentence for each problem.
    """
    layers = merged(given, files)
    kind, other = LEAVE_K_OUT, CUSTOMIZED
    if layers.tree.get(CUSTOMIZED.section):
        kind, other = other, kind
    ours, theirs = kind.experiment.model_fields, other.experiment.model_fields
    _drop_nulls_of_others(layers, kind, layers.tree, set(theirs) - set(ours))
    if isinstance(section := layers.tree.get("dataset"), dict):
        classes: list[Any] = [fields["dataset"].annotation for fields in (theirs, ours)]
        foreign = set(classes[0].model_fields) - set(classes[1].model_fields)
        layers.tree["dataset"] = dict(section)
        _drop_nulls_of_others(layers, kind, layers.tree["dataset"], foreign, "dataset")
    experiment = entries.read(layers, kind.experiment)
    shapes.check(experiment, layers.file_of, registry.needs(experiment))
    kind.check(experiment, layers.file_of)
    return experiment


def _drop_nulls_of_others(
    layers: Merged, kind: Kind, section: dict[str, Any], foreign: Set[str], *where: str
) -> None:
    """Drops the null keys of another kind of experiment, and raises InputError if one has a value.

    Args:
        section: of the configuration, under the keys `where`; is changed.
    """
    for key in sorted(foreign & set(section)):
        if section.pop(key) is not None:
            name = ".".join((*where, key))
            raise InputError(
                f"{layers.file_of(*where, key)}: '{name}' is not for this kind of experiment, "
                f"which has '{kind.section}'; set '{name}' to null."
            )


def costs_of(experiment: Experiment) -> Any:
    """The expected costs of the experiment's jobs."""
    kind = LEAVE_K_OUT if isinstance(experiment, LeaveKOut) else CUSTOMIZED
    return kind.costs(experiment)
