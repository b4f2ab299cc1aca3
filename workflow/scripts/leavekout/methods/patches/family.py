"""The family of nonparametric attribution by patches: its refusals and costs."""

from collections.abc import Iterator

from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family, KeyInfo, Problem
from leavekout.methods.patches.settings import BUILT_IN, Patches
from leavekout.models.geometry import geometry_of
from leavekout.planning.costs import Cost, Costs


class PatchesFamily(Family[Patches]):
    """Each entry compares patches of one size at some timesteps."""

    section = "patches"
    key = KeyInfo(Patches, "Nonparametric attribution by patches.", BUILT_IN)

    def problems(self, e: Experiment, entry: Patches, *, used: bool) -> Iterator[Problem]:
        """Patches without a middle, and timesteps beyond the last."""
        last = e.model.process.timesteps - 1
        if entry.patch % 2 == 0:
            yield "patch", "has to be odd, to have a middle"
        if max(entry.timesteps) > last:
            yield "timesteps", f"go beyond the last one, {last}"

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the products of all patches of queries and of training latents."""
        entry, geometry = self.entries(costs.e)[method], geometry_of(costs.e.model)
        places = geometry.side**2
        entries = entry.patch**2 * geometry.in_channels
        # Twice, in double precision, with an exponential of each, which costs as much again.
        products = 2.0 * costs.images * costs.flips * places**2 * (2 * entries + 50)
        rate = 5e12 if costs.on_gpu else 1e10
        batch_mb = 2e-6 * 8 * costs.e.hardware.encode_batch * costs.flips * places**2
        return costs.cost(
            further_seconds=costs.queries * len(entry.timesteps) * products / rate,
            memory_mb=costs.latents_mb + 3 * batch_mb,
            disk_mb=3 * costs.queries * costs.scores_mb(),
        )


PATCHES = PatchesFamily()
