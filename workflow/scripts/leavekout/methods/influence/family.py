"""The family of influence by projected gradients: its refusals, costs and preparation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from leavekout.config.experiment import Experiment
from leavekout.methods.family import ODD_PAIRS, SHARED_DRAWS, Family, KeyInfo, Refuse, Tree
from leavekout.methods.influence.settings import KNOWN, KNOWN_GRADIENTS, Gradients, Influence
from leavekout.models.shapes import Need
from leavekout.planning.costs import FLOAT_MB, Cost, Costs


class InfluenceFamily(Family[Influence]):
    """Each entry is a solver on projected gradients, which are computed once for several."""

    section = "influence"
    keys: ClassVar[Mapping[str, KeyInfo]] = {
        "influence": KeyInfo(Influence, "Scores from projected gradients.", KNOWN),
        "gradients": KeyInfo(
            Gradients,
            "Projected per-sample gradients, shared by `influence` methods.",
            KNOWN_GRADIENTS,
        ),
    }

    def gradients(self, e: Experiment) -> Mapping[str, Gradients]:
        """The experiment's projected gradients, by name."""
        return getattr(e, "gradients")  # noqa: B009  # the types know the keys of all kinds alone

    def references(self, entry: Tree) -> list[tuple[str, str]]:
        """Its gradients."""
        return [("gradients", str(entry.get("gradients", "loss")))]

    def check(self, e: Experiment, refuse: Refuse, used: set[str]) -> None:
        """Refuses gradients that are not there or do not fit the solver, and unpaired draws."""
        last = e.model.process.timesteps - 1
        for name, gradients in self.gradients(e).items():
            if gradients.antithetic and gradients.draws % 2:
                refuse("gradients", name, "draws", reason=ODD_PAIRS)
        for name, one in self.entries(e).items():
            found = self.gradients(e).get(one.gradients)
            if found is None:
                refuse(self.section, name, "gradients", reason="is no entry of 'gradients'")
            if one.solver == "datainf" and found.layout != "by_layer":
                reason = "needs gradients with the layout 'by_layer'"
                refuse(self.section, name, "solver", reason=reason)
            if (one.solver == "das") != (found.objective == "mean_output"):
                reason = (
                    "has to be 'das' for gradients of the objective 'mean_output', and only then"
                )
                refuse(self.section, name, "solver", reason=reason)
            if found.antithetic and one.query_draws % 2:
                refuse(self.section, name, "query_draws", reason=ODD_PAIRS)
            if found.shared_draws and one.query_draws != found.draws:
                reason = SHARED_DRAWS.format(found.draws)
                refuse(self.section, name, "query_draws", reason=reason)
            if one.solver == "datainf" and one.damping == 0:
                refuse(self.section, name, "damping", reason="has to be above 0 for 'datainf'")
            if one.query_timestep is not None and one.query_timestep > last:
                reason = f"is beyond the last one, {last}"
                refuse(self.section, name, "query_timestep", reason=reason)

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the weights that are projected."""
        name = self.entries(e)[method].gradients
        yield Need(f"gradients.{name}", self.gradients(e)[name].weights)

    def source_seeds(self, e: Experiment, method: str) -> Sequence[int]:
        """Of the ensemble."""
        return self.entries(e)[method].source_seeds

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of the queries, a kernel, and products with it."""
        one = self.entries(costs.e)[method]
        dimension, models = self.gradients(costs.e)[one.gradients].dimension, len(one.source_seeds)
        images = costs.images * costs.flips
        kernel_mb = 2 * FLOAT_MB * dimension**2  # in double precision
        cost = costs.cost(
            gradients=models * costs.queries * one.query_draws,
            memory_mb=3 * (not costs.on_gpu) * kernel_mb  # a GPU has it in its own memory
            + 4 * FLOAT_MB * costs.queries * images  # two arrays of scores
            + 2 * costs.weights_mb,
            disk_mb=costs.queries * costs.scores_mb(),
        )
        # Double-precision operations a second, of a GPU or of one core.
        products = models * 2.0 * images * dimension**2 / (1e12 if costs.on_gpu else 1e10)
        return replace(cost, seconds=cost.seconds + products)

    def projection_cost(self, costs: Costs, name: str) -> Cost:
        """Of an entry of `gradients` for one source model."""
        one, images = self.gradients(costs.e)[name], costs.images * costs.flips
        layers = 32 if one.layout == "by_layer" else 1
        halves = 1 if one.draws % 2 else 2
        return costs.cost(
            gradients=images * one.draws,
            further_seconds=costs.loading,
            memory_mb=costs.data_mb + 2 * costs.weights_mb,
            disk_mb=FLOAT_MB * images * halves * layers * one.dimension,
            resumes=True,
        )

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """Projected gradients of each model, further models, and DAS's losses."""
        one, paths = self.entries(e)[method], []
        for seed in one.source_seeds:
            paths.append(f"project_gradients/{one.gradients}/seed{seed}")
            model = "source"
            if e.training and seed != e.training.seed:
                model = f"seed{seed}"
                paths.append(f"retrain/no_removal/{model}/k0")
            if one.solver == "das":
                paths.append(f"source_losses/{model}/loss")
        return paths


INFLUENCE = InfluenceFamily()
