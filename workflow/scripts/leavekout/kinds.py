"""The kinds of experiment, and the choice of one for a configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leavekout.base.errors import InputError
from leavekout.config.experiment import Experiment
from leavekout.config.reading import merged
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
    foreign = set(other.experiment.model_fields) - set(kind.experiment.model_fields)
    for key in sorted(foreign & set(layers.tree)):
        if layers.tree.pop(key) is not None:
            raise InputError(
                f"{layers.file_of(key)}: '{key}' is not for this kind of experiment, which has "
                f"'{kind.section}'; set '{key}' to null."
            )
    experiment = entries.read(layers, kind.experiment)
    shapes.check(experiment, layers.file_of, registry.needs(experiment))
    kind.check(experiment, layers.file_of)
    return experiment


def costs_of(experiment: Experiment) -> Any:
    """The expected costs of the experiment's jobs."""
    kind = LEAVE_K_OUT if isinstance(experiment, LeaveKOut) else CUSTOMIZED
    return kind.costs(experiment)
