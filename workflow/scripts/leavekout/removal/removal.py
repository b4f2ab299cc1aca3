"""A removal: what one retrained model lacks, and the queries it is evaluated on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from leavekout.config.leave_k_out import LeaveKOut

# The method's name in tables where no attribution method named the images.
RANDOM, NO_REMOVAL, GROUP, REPLICA = "random", "no_removal", "group", "replica"
CONTROLS = (RANDOM, NO_REMOVAL)
# Roles of the queries that a model is evaluated on.
TARGET, OTHER, RELATED = "target", "other", "related"
Table = Literal["measurements", "removals", "drift", "seeds"] | None


@dataclass(frozen=True)
class Removal:
    """What one retrained model lacks, and the queries it is evaluated on.

    Args:
        policy: the name of the policy, a key of `POLICIES`.
        method: who named the images: an attribution method, or a control's name.
        k: images removed, for unions by each target query.
        training_seed: seed of initial weights and stream; the source's own makes a paired training.
        number: of the random set, the group or the union; None where there is one model alone.
        set_seed: the seed behind random sets.
        targets: queries whose images are removed.
        others: further queries, which serve as controls.
        related: pictures of prompts related to a target's, for the forgetting check.
    """

    policy: str
    method: str
    k: int
    training_seed: int
    number: int | None = None
    set_seed: int | None = None
    targets: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    related: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where the model's files are, below `retrained/`."""
        return self._policy.path(self)

    @property
    def arm(self) -> str:
        """The method, the control or the policy among whose models it is measured."""
        return self.path.split("/")[0]

    @property
    def table(self) -> Table:
        """Where the model is reported."""
        return self._policy.table

    @property
    def files(self) -> dict[str, list[str]]:
        """The files that name its rows, below the study's results."""
        return self._policy.files(self)

    @property
    def roles(self) -> dict[str, str]:
        """The role of each query that the model is evaluated on."""
        return {
            **dict.fromkeys(self.targets, TARGET),
            **dict.fromkeys(self.others, OTHER),
            **dict.fromkeys(self.related, RELATED),
        }

    @property
    def _policy(self) -> "Policy":
        from leavekout.removal.policies import POLICIES  # here: policies make removals

        return POLICIES[self.policy]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a job's parameters and an outcome's description hold them."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Removal":
        """The inverse of `as_dict`."""
        fields: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class Study:
    """What policies need to know of a study to say which models it trains."""

    experiment: LeaveKOut
    test: Sequence[str]
    tuning: Sequence[str]

    @property
    def queries(self) -> tuple[str, ...]:
        """All queries, test queries first."""
        return (*self.test, *self.tuning)

    @property
    def seed(self) -> int:
        """The source model's training seed."""
        return self.experiment.training.seed


class Policy(Protocol):
    """How the rows of some models are chosen.

    `table` says where its models are reported: among the `measurements` that methods are compared
    by, in a table of further `removals`, in those of the `drift` of a join or of two `seeds`, or
    nowhere (None).
    `counted` is the role of queries that count there; None for every role.
    """

    table: Table
    counted: str | None

    def models(self, study: Study) -> Iterator[Removal]:
        """The models of the study itself; those of its tuning come from `tuning_models`."""

    def path(self, removal: Removal) -> str:
        """Where the model's files are: three parts, the arm's name first."""

    def files(self, removal: Removal) -> dict[str, list[str]]:
        """The files that name its rows, below the study's results."""

    def rows(self, removal: Removal, files: Mapping[str, list[Path]], images: int) -> np.ndarray:
        """The rows to remove of `images`: int64 [K]; `files` are those of `files`."""

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """Whether galleries show its pictures."""
