"""A removal: what one model is trained without, and the queries that it is evaluated on.

A removal is plain data. The fields `policy` to `related` identify the model: they are a job's
parameter, and the outcome records them. The other fields say where its files are and where it is
reported; no job depends on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

# The method's name in tables where no attribution method chose the images.
RANDOM, TOPIC, NO_REMOVAL, GROUP, REPLICA = "random", "topic", "no_removal", "group", "replica"
CONTROLS = (RANDOM, TOPIC, NO_REMOVAL)
# Roles of the queries that a model is evaluated on.
TARGET, OTHER, RELATED = "target", "other", "related"
# The table that reports a model: the measurements that compare methods, further removals, the drift
# of a join, or cells trained from two seeds. Or none.
Table = Literal["measurements", "removals", "drift", "seeds"] | None


@dataclass(frozen=True)
class Removal:
    """What one model is trained without, and the queries that it is evaluated on.

    Args:
        policy: how the removed images were chosen; see `leave_k_out.removals`.
        method: what chose the images: an attribution method, or a control's name.
        k: images removed; for unions, images removed for each target query.
        training_seed: seed of initial weights and stream; the source's seed pairs the trainings.
        number: number of the set, group or union; None if there is only one model.
        set_seed: seed of the random sets, or of the topic sets.
        targets: queries whose images are removed.
        others: further queries, which serve as controls.
        related: pictures of prompts related to a target's, for the forgetting check.
        outcome: file of the model's outcome, relative to the study's results.
        arm: the method, control or policy that it is measured with.
        table: where it is reported.
        pictured: whether galleries show its pictures.
        inputs: files that determine its rows, relative to the study's results.
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
        """The fields that identify the model, as plain values for parameters and headers."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Removal":
        """The removal that `as_dict` describes."""
        plain: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)
