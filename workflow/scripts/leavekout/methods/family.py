"""What the rest of the package asks of a family of methods.

A family is a folder beside this file, a rule file and a script, all named as its section of the
configuration. Its class describes it, and `registry.py` lists it. Nothing here imports torch, since
every workflow imports it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from leavekout.config.download import Download
from leavekout.config.experiment import Experiment
from leavekout.models.shapes import Need
from leavekout.planning.costs import Cost, Costs

Entry = TypeVar("Entry")
Tree = Mapping[str, Any]
# The key of an entry that cannot work, step by step, and the rest of a sentence about it.
Problem = tuple[str, ...]
ODD_PAIRS = "have to be even with 'antithetic', where every second is the negative of one before"
SHARED_DRAWS = "has to be {}, as many as the draws that its gradients share with it"


@dataclass(frozen=True)
class KeyInfo:
    """A key of the configuration that belongs to a family.

    Args:
        entry: the type of an entry; every entry has a name.
        text: its documentation. The first paragraph is its heading.
        built_in: entries that need not be written, by name: what differs from the defaults.
    """

    entry: Any
    text: str
    built_in: Mapping[str, Tree]


class Family(Generic[Entry]):
    """A family of methods. Entries of its section are methods, named by their keys."""

    section: ClassVar[str]
    key: ClassVar[KeyInfo | None] = None  # of the section; None if a family has no settings
    shared_keys: ClassVar[Mapping[str, KeyInfo]] = {}  # further sections, which entries share
    for_one_model: ClassVar[bool] = False  # whether all queries must come from one source model
    from_elsewhere: ClassVar[bool] = False  # whether the user provides the scores as files

    def keys(self) -> dict[str, KeyInfo]:
        """All keys of the configuration that belong to the family."""
        return {**({self.section: self.key} if self.key else {}), **self.shared_keys}

    def entries(self, e: Experiment) -> Mapping[str, Entry]:
        """The experiment's methods of this family, by name."""
        return getattr(e, self.section)

    def built_in(self) -> list[str]:
        """The methods that need no entry."""
        return list(self.key.built_in) if self.key else []

    def references(self, entry: Tree) -> list[tuple[str, str]]:
        """The entries that an entry uses: section and name."""
        return []

    def completed(self, tree: Tree, named: set[str]) -> Tree:
        """The configuration, completed by what this family's methods need in other sections.

        Args:
            named: the methods that the configuration names.
        """
        return tree

    def all_problems(self, e: Experiment, used: set[str]) -> Iterator[Problem]:
        """What cannot work in the family's sections; `used` are the methods that are scored."""
        for name, entry in self.entries(e).items():
            for problem in self.problems(e, entry, used=name in used):
                yield (self.section, name, *problem)

    def problems(self, e: Experiment, entry: Entry, *, used: bool) -> Iterator[Problem]:
        """What cannot work in one entry."""
        yield from ()

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """What a method needs of the denoiser."""
        yield from ()

    def source_seeds(self, e: Experiment, method: str) -> Sequence[int]:
        """Training seeds of the source models whose scores are averaged; none for θ0 alone."""
        return ()

    def downloads(self, e: Experiment) -> Mapping[str, Download]:
        """The published file that a method needs, by the method's name."""
        return {}

    def unlearns(self, e: Experiment, method: str) -> bool:
        """Whether a method makes an unlearned model from the query alone."""
        return False

    def cost(self, costs: Costs, method: str) -> Cost:
        """The expected cost of a job that scores queries; scores from elsewhere have none."""
        raise NotImplementedError

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The jobs that prepare scores once, by their benchmark files below a study's benchmarks.

        Training the encoders and the source model belongs to no method.
        """
        return []
