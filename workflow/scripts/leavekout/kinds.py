"""The kinds of experiment, and which one a configuration is of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leavekout.config import leave_k_out_checks
from leavekout.config.experiment import Experiment
from leavekout.config.leave_k_out import LeaveKOut
from leavekout.config.reading import merged, validated
from leavekout.customized import checks as customized_checks
from leavekout.customized.config import CustomizedExperiment
from leavekout.customized.costs import CustomizedCosts
from leavekout.errors import InputError
from leavekout.models import shapes
from leavekout.planning.costs import Costs
from leavekout.planning.leave_k_out import LeaveKOutCosts


@dataclass(frozen=True)
class Kind:
    """One kind of experiment: its configuration, its refusals, and what its jobs cost.

    Args:
        section: the key of the configuration that only this kind has, and needs.
    """

    section: str
    experiment: type[Experiment]
    check: Callable[..., None]
    costs: type[Costs]


LEAVE_K_OUT = Kind("counterfactual", LeaveKOut, leave_k_out_checks.check, LeaveKOutCosts)
CUSTOMIZED = Kind("customized", CustomizedExperiment, customized_checks.check, CustomizedCosts)


def read_experiment(config: Mapping[str, Any], files: Sequence[Path]) -> Any:
    """The validated experiment behind Snakemake's merged `config`, of the kind that it is.

    Args:
        config, files: as in `reading.merged`.

    Raises:
        InputError: one sentence for each problem.
    """
    said = merged(config, files)
    kind, other = LEAVE_K_OUT, CUSTOMIZED
    if said.tree.get(CUSTOMIZED.section):
        kind, other = other, kind
    foreign = set(other.experiment.model_fields) - set(kind.experiment.model_fields)
    for key in sorted(foreign & set(said.tree)):
        if said.tree.pop(key) is not None:
            raise InputError(
                f"{said.file_of(key)}: '{key}' is not for this kind of experiment, which has "
                f"'{kind.section}'; set '{key}' to null."
            )
    experiment = validated(said, kind.experiment)
    shapes.check(experiment, said.file_of)
    kind.check(experiment, said.file_of)
    return experiment


def costs_of(experiment: Experiment) -> Any:
    """What the experiment's jobs are expected to cost."""
    kinds = {kind.experiment: kind for kind in (LEAVE_K_OUT, CUSTOMIZED)}
    return kinds[type(experiment)].costs(experiment)
