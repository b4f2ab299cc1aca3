"""The family of influence by EK-FAC: its refusals, costs and preparation."""

import math
from collections.abc import Iterator

from leavekout.config.experiment import Experiment
from leavekout.methods.ekfac_influence.settings import BUILT_IN, EkfacInfluence
from leavekout.methods.family import ODD_PAIRS, SHARED_DRAWS, Family, KeyInfo, Problem
from leavekout.models.shapes import Need
from leavekout.planning.costs import FLOAT_MB, Cost, Costs

_FACTORS = 10  # size of COCO's factors, of all matrices, beside the weights: 2.23 and 0.23 GB


class EkfacInfluenceFamily(Family[EkfacInfluence]):
    """Each entry multiplies gradients of queries and images through the inverse curvature."""

    section = "ekfac_influence"
    key = KeyInfo(EkfacInfluence, "Influence by EK-FAC, without projection.", BUILT_IN)
    for_one_model = True

    def problems(self, e: Experiment, entry: EkfacInfluence, *, used: bool) -> Iterator[Problem]:
        """Weights that EK-FAC does not support, and unpaired draws."""
        if entry.objective != "loss":
            yield "objective", "has to be 'loss'"
        if entry.weights not in ("matrices", "cross_attention_kv"):
            reason = "has to be 'matrices' or 'cross_attention_kv', of layers without bias"
            yield "weights", reason
        if entry.shared_draws and entry.query_draws != entry.draws:
            yield "query_draws", SHARED_DRAWS.format(entry.draws)
        if entry.antithetic and (entry.draws % 2 or entry.query_draws % 2):
            yield "draws", ODD_PAIRS

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the keys and values, where it is for them."""
        if self.entries(e)[method].weights == "cross_attention_kv":
            yield Need(f"{self.section}.{method}", "cross_attention_kv")

    def queries_at_once(self, costs: Costs) -> int:
        """How many queries share a pass over the images.

        The two directions of a query are as large as the model. Together those of a pass take no
        more of a GPU than the encoded data may, of which the GPU keeps nothing meanwhile.
        """
        room_mb = 1000 * costs.e.hardware.device_data_gb
        fit = int(room_mb // (2 * costs.weights_mb)) if costs.on_gpu else costs.queries
        return max(1, min(costs.queries, fit))

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of all images, once for each group of queries."""
        entry, images = self.entries(costs.e)[method], costs.images * costs.flips
        at_once = self.queries_at_once(costs)
        passes = math.ceil(costs.queries / at_once)
        # Products with two directions of each query; kept by half of the draws, in two arrays of
        # double precision.
        products = 4.0 * images * costs.queries * costs.rates.parameters * 2
        products_mb = 16 * FLOAT_MB * images * costs.queries
        rate = 2e13 if costs.on_gpu else 5e10
        directions_mb = 0 if costs.on_gpu else 2 * at_once * costs.weights_mb
        return costs.cost(
            gradients=passes * images * entry.draws + costs.queries * entry.query_draws,
            further_seconds=products / rate,
            memory_mb=_FACTORS * costs.weights_mb + products_mb + directions_mb,
            disk_mb=3 * costs.queries * costs.scores_mb(),
            resumes=True,
        )

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The Gauss-Newton matrix."""
        return [f"estimate_gauss_newton/{self.entries(e)[method].weights}"]


EKFAC_INFLUENCE = EkfacInfluenceFamily()
