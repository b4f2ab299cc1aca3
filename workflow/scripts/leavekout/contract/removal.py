"""A removal: what one model is trained without, and the queries that it is evaluated on.

A removal is plain data. What the model is (`policy` to `related`) is a job's parameter, and its
outcome carries it. Where its files are and where it is reported is fixed when the removal is made;
no job depends on that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

# The method's name in tables where no attribution method named the images.
RANDOM, NO_REMOVAL, GROUP, REPLICA = "random", "no_removal", "group", "replica"
CONTROLS = (RANDOM, NO_REMOVAL)
# Roles of the queries that a model is evaluated on.
TARGET, OTHER, RELATED = "target", "other", "related"
# Where a model is reported: among the measurements that compare methods, in the table of further
# removals, of a join's drift, or of cells trained from two seeds; or nowhere.
Table = Literal["measurements", "removals", "drift", "seeds"] | None


@dataclass(frozen=True)
class Removal:
    """What one model is trained without, and the queries that it is evaluated on.

    Args:
        policy: how the removed images were chosen; see `leave_k_out.removals`.
        method: who named the images: an attribution method, or a control's name.
        k: images removed, for unions by each target query.
        training_seed: seed of initial weights and stream; the source's own makes a paired training.
        number: of the random set, the group or the union; None where there is one model alone.
        set_seed: the seed behind random sets.
        targets: queries whose images are removed.
        others: further queries, which serve as controls.
        related: pictures of prompts related to a target's, for the forgetting check.
        outcome: the file of the model's outcome, below the study's results.
        arm: the method, the control or the policy with whose models it is measured.
        table: where it is reported.
        pictured: whether galleries show its pictures.
        inputs: the files that name its rows, below the study's results.
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
    outcome: str = field(default="", compare=False)
    arm: str = field(default="", compare=False)
    table: Table = field(default=None, compare=False)
    pictured: bool = field(default=False, compare=False)
    inputs: Mapping[str, list[str]] = field(default_factory=dict, compare=False)

    @property
    def roles(self) -> dict[str, str]:
        """The role of each query that the model is evaluated on."""
        return {
            **dict.fromkeys(self.targets, TARGET),
            **dict.fromkeys(self.others, OTHER),
            **dict.fromkeys(self.related, RELATED),
        }

    def as_dict(self) -> dict[str, Any]:
        """What the model is, as plain values for a job's parameters and an outcome's header."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.compare}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Removal":
        """What `as_dict` describes; where its files are is not in it."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)
