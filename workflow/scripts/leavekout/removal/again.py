"""A second training of some models, from another seed."""

import zlib
from collections.abc import Iterator

from leavekout.removal.removal import Removal, Study, Table
from leavekout.removal.top import TopK


class Again(TopK):
    """Some of the top K's models from another seed: the retraining's share of an effect."""

    table: Table = "seeds"

    def models(self, study: Study) -> Iterator[Removal]:
        """For each method and K a model for every so many queries.

        Which ones depends on the method's name alone, so that another list of methods, as of a
        study that is made in parts, has the same. Each method has one at least.
        """
        e = study.experiment
        again = e.counterfactual.again
        if again is None:
            return
        for method in e.methods:
            first = zlib.crc32(method.encode()) % min(again.every, len(study.test))
            for query in study.test[first :: again.every]:
                for k in e.counterfactual.k:
                    yield Removal("again", method, k, again.seed, targets=(query,))

    def path(self, removal: Removal) -> str:
        """`again-<method>/<query>-seed<seed>/k<K>`: an arm of each method, as joins need."""
        name = f"{removal.targets[0]}-seed{removal.training_seed}"
        return f"again-{removal.method}/{name}/k{removal.k}"

    def is_pictured(self, removal: Removal, study: Study) -> bool:
        """None."""
        return False
