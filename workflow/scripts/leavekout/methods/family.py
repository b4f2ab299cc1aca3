"""What the rest of the house asks of a family of methods.

A family is a folder beside this file, a rule file and a script, all of the name of its section in
the configuration. It is described by a `Family`, and listed in `registry.py`. Nothing here imports
torch, since every workflow imports it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeVar

from leavekout.config.experiment import Experiment
from leavekout.models.shapes import Need
from leavekout.planning.costs import Cost, Costs

Entry = TypeVar("Entry")
Tree = Mapping[str, Any]
ODD_PAIRS = "have to be even with 'antithetic', where every second is the negative of one before"
SHARED_DRAWS = "has to be {}, as many as the draws that its gradients share with it"


class Refuse(Protocol):
    """Raises InputError with the file that has a key, the key, and what is wrong with it."""

    def __call__(self, *key: str, reason: str) -> NoReturn:
        """The key step by step, and the rest of a sentence that begins with it."""


@dataclass(frozen=True)
class KeyInfo:
    """A key of the configuration that a family has.

    Args:
        entry: the type of an entry; every entry has a name.
        text: its documentation, the first paragraph of which is its heading.
        known: entries by name that need not be written, as far as they differ from the defaults.
    """

    entry: Any
    text: str
    known: Mapping[str, Tree]


class Family(Generic[Entry]):
    """A family of methods. Entries of its section are methods, named by their keys."""

    section: ClassVar[str]
    keys: ClassVar[Mapping[str, KeyInfo]]  # the section first, then what its entries share
    for_one_model: ClassVar[bool] = False  # whether all queries have to be of one source model
    from_elsewhere: ClassVar[bool] = False  # whether scores are files of whoever runs the study

    def entries(self, e: Experiment) -> Mapping[str, Entry]:
        """The experiment's methods of this family, by name."""
        return getattr(e, self.section)

    def known(self) -> list[str]:
        """The methods that need no entry."""
        return list(self.keys[self.section].known)

    def references(self, entry: Tree) -> list[tuple[str, str]]:
        """The section and name of entries that an entry uses."""
        return []

    def completed(self, tree: Tree) -> Tree:
        """The configuration with what used methods of this family need of other sections."""
        return tree

    def check(self, e: Experiment, refuse: Refuse, used: set[str]) -> None:
        """Refuses entries that cannot work; `used` are the methods that are scored."""

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """What a method needs of the denoiser."""
        yield from ()

    def source_seeds(self, e: Experiment, method: str) -> Sequence[int]:
        """Training seeds of the source models that scores are averaged over; none for θ0 alone."""
        return ()

    def unlearns(self, e: Experiment, method: str) -> bool:
        """Whether a method makes an unlearned model from the query alone."""
        return False

    def cost(self, costs: Costs, method: str) -> Cost:
        """What a job that scores queries is expected to cost."""
        raise NotImplementedError

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """Benchmark files of the jobs that prepare scores once, below a study's benchmarks.

        Training of the encoders and of the source model is no method's.
        """
        return []
