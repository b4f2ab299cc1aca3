"""The source model again: how far two machines are apart."""

from collections.abc import Iterator

from leavekout.removal.nothing import Nothing
from leavekout.removal.removal import REPLICA, Removal, Study, Table


class Replica(Nothing):
    """The source model trained again, of a study that joins another: how far machines are apart.

    Same seed, nothing removed. On the machine that trained the source, it is the source.
    """

    table: Table = "drift"

    def models(self, study: Study) -> Iterator[Removal]:
        """One model, in a study that joins another."""
        joins = study.experiment.joins
        if joins and not joins.continues:
            yield Removal("replica", REPLICA, 0, study.seed, others=study.queries)

    def path(self, removal: Removal) -> str:
        """`replica/seed<seed>/k0`."""
        return f"{REPLICA}/seed{removal.training_seed}/k0"

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """No."""
        return False
