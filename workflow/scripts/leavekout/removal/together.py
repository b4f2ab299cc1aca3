"""The top K of all tuning queries together."""

from collections.abc import Iterator

from leavekout.removal.removal import RANDOM, TARGET, Removal, Study, Table
from leavekout.removal.unions import Unions


class Together(Unions):
    """A union of all tuning queries: one model shows what a setting is worth.

    Its control is the union of as many random sets.
    """

    table: Table = "measurements"
    counted: str | None = TARGET

    def models(self, study: Study) -> Iterator[Removal]:
        """None: they are of the tuning alone."""
        yield from ()

    def tuning_models(self, study: Study) -> Iterator[Removal]:
        """One for each method that is compared, and the controls, at every K."""
        e = study.experiment
        assert e.tuning
        random, targets = e.counterfactual.random, tuple(study.tuning)
        for k in e.tuning.k:
            for method in e.tuning.methods:
                yield Removal("together", method, k, study.seed, targets=targets)
            for number in range(random.sets):
                control = Removal("together", RANDOM, k, study.seed, number, random.seed, targets)
                yield control

    def path(self, removal: Removal) -> str:
        """`<method>/together/k<K>`, of random unions `random/together<number>/k<K>`."""
        number = "" if removal.number is None else removal.number
        return f"{removal.method}/together{number}/k{removal.k}"
