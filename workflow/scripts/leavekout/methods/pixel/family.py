"""The family of one method, similarity of pixels, which has no settings."""

from collections.abc import Mapping

from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family
from leavekout.planning.costs import Cost, Costs


class PixelFamily(Family[None]):
    """`pixel`: cosine similarity of flattened pixels."""

    section = "pixel"

    def built_in(self) -> list[str]:
        """The one method."""
        return [self.section]

    def entries(self, e: Experiment) -> Mapping[str, None]:
        """The one method."""
        return {self.section: None}

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of comparing pixels."""
        return costs.similarity(costs.queries)


PIXEL = PixelFamily()
