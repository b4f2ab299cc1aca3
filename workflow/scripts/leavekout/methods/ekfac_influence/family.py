"""The family of influence by EK-FAC: its refusals, costs and preparation."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from leavekout.config.experiment import Experiment
from leavekout.methods.ekfac_influence.settings import KNOWN, EkfacInfluence
from leavekout.methods.family import ODD_PAIRS, SHARED_DRAWS, Family, KeyInfo, Refuse
from leavekout.models.shapes import Need
from leavekout.planning.costs import Cost, Costs


class EkfacInfluenceFamily(Family[EkfacInfluence]):
    """Each entry multiplies gradients of queries and images through the inverse curvature."""

    section = "ekfac_influence"
    keys: ClassVar[Mapping[str, KeyInfo]] = {
        "ekfac_influence": KeyInfo(
            EkfacInfluence, "Influence by EK-FAC, without projection.", KNOWN
        )
    }
    for_one_model = True

    def check(self, e: Experiment, refuse: Refuse, used: set[str]) -> None:
        """Refuses weights that EK-FAC is not for, and draws that do not pair."""
        for name, one in self.entries(e).items():
            if one.objective != "loss":
                refuse(self.section, name, "objective", reason="has to be 'loss'")
            if one.weights not in ("matrices", "cross_attention_kv"):
                reason = "has to be 'matrices' or 'cross_attention_kv', of layers without bias"
                refuse(self.section, name, "weights", reason=reason)
            if one.shared_draws and one.query_draws != one.draws:
                reason = SHARED_DRAWS.format(one.draws)
                refuse(self.section, name, "query_draws", reason=reason)
            if one.antithetic and (one.draws % 2 or one.query_draws % 2):
                refuse(self.section, name, "draws", reason=ODD_PAIRS)

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the keys and values, where it is for them."""
        if self.entries(e)[method].weights == "cross_attention_kv":
            yield Need(f"{self.section}.{method}", "cross_attention_kv")

    def directions_gb(self, costs: Costs) -> float:
        """Of two directions of each query, over all weights."""
        return 2 * costs.queries * costs.weights_mb / 1000

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of all images once, for all queries."""
        one, images = self.entries(costs.e)[method], costs.images * costs.flips
        # Products with two directions of each query, and these directions in memory.
        products = 4.0 * images * costs.queries * costs.rates.parameters * 2
        rate = 2e13 if costs.on_gpu else 5e10
        return costs.cost(
            gradients=images * one.draws + costs.queries * one.query_draws,
            further_seconds=costs.loading + products / rate,
            memory_mb=costs.data_mb + 3 * costs.weights_mb + 1000 * self.directions_gb(costs),
            disk_mb=3 * costs.queries * costs.scores_mb(),
            resumes=True,
        )

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The Gauss-Newton matrix."""
        return [f"estimate_gauss_newton/{self.entries(e)[method].weights}"]


EKFAC_INFLUENCE = EkfacInfluenceFamily()
