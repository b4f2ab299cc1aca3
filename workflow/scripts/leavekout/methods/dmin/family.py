"""The family of DMin: its refusals and costs."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from leavekout.config.experiment import Experiment
from leavekout.methods.dmin.settings import KNOWN, Dmin
from leavekout.methods.family import ODD_PAIRS, Family, KeyInfo, Refuse
from leavekout.models.shapes import Need
from leavekout.planning.costs import FLOAT_MB, Cost, Costs


class DminFamily(Family[Dmin]):
    """Each entry compresses the gradients of some weights."""

    section = "dmin"
    keys: ClassVar[Mapping[str, KeyInfo]] = {
        "dmin": KeyInfo(Dmin, "Inner products of compressed gradients (DMin).", KNOWN)
    }
    for_one_model = True

    def check(self, e: Experiment, refuse: Refuse, used: set[str]) -> None:
        """Refuses timesteps of the query that are not the image's, and unpaired draws."""
        for name, one in self.entries(e).items():
            if one.timesteps != "uniform" and not one.shared_draws:
                reason = "has to be 'uniform', or 'shared_draws' true, to compare like timesteps"
                refuse(self.section, name, "timesteps", reason=reason)
            if one.antithetic and one.draws % 2:
                refuse(self.section, name, "draws", reason=ODD_PAIRS)

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the weights."""
        yield Need(f"{self.section}.{method}", self.entries(e)[method].weights)

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of queries and images, and the compressed vectors of all images."""
        one, images = self.entries(costs.e)[method], costs.images * costs.flips
        return costs.cost(
            gradients=(images + costs.queries) * one.draws,
            further_seconds=costs.loading,
            memory_mb=costs.data_mb + 3 * costs.weights_mb,
            disk_mb=FLOAT_MB * images * one.draws * one.dimension,
            resumes=True,
        )


DMIN = DminFamily()
