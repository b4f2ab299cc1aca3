"""The kinds of experiment, and which one a configuration is of."""

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
    experiment = entries.read(said, kind.experiment)
    shapes.check(experiment, said.file_of, registry.needs(experiment))
    kind.check(experiment, said.file_of)
    return experiment


def costs_of(experiment: Experiment) -> Any:
    """What the experiment's jobs are expected to cost."""
    kinds = {kind.experiment: kind for kind in (LEAVE_K_OUT, CUSTOMIZED)}
    return kinds[type(experiment)].costs(experiment)
