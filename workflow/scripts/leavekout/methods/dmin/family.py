"""The family of DMin: its refusals and costs."""

from collections.abc import Iterator

from leavekout.config.experiment import Experiment
from leavekout.methods.dmin.settings import BUILT_IN, Dmin
from leavekout.methods.family import ODD_PAIRS, Family, KeyInfo, Problem
from leavekout.models.shapes import Need
from leavekout.planning.costs import FLOAT_MB, Cost, Costs


class DminFamily(Family[Dmin]):
    """Each entry compresses the gradients of some weights."""

    section = "dmin"
    key = KeyInfo(Dmin, "Inner products of compressed gradients (DMin).", BUILT_IN)
    for_one_model = True

    def problems(self, e: Experiment, entry: Dmin, *, used: bool) -> Iterator[Problem]:
        """Timesteps of the query that are not the image's, and unpaired draws."""
        if entry.timesteps != "uniform" and not entry.shared_draws:
            reason = "has to be 'uniform', or 'shared_draws' true, to compare like timesteps"
            yield "timesteps", reason
        if entry.antithetic and entry.draws % 2:
            yield "draws", ODD_PAIRS

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the weights."""
        yield Need(f"{self.section}.{method}", self.entries(e)[method].weights)

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of queries and images, and the compressed vectors of all images."""
        entry, images = self.entries(costs.e)[method], costs.images * costs.flips
        return costs.cost(
            gradients=(images + costs.queries) * entry.draws,
            memory_mb=3 * costs.weights_mb,
            disk_mb=FLOAT_MB * images * entry.draws * entry.dimension,
            resumes=True,
        )


DMIN = DminFamily()
