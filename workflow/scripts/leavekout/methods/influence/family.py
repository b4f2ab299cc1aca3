"""The family of influence by projected gradients: its refusals, costs and preparation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from leavekout.config.experiment import Experiment
from leavekout.methods.family import ODD_PAIRS, SHARED_DRAWS, Family, KeyInfo, Problem, Tree
from leavekout.methods.influence.settings import BUILT_IN, BUILT_IN_GRADIENTS, Gradients, Influence
from leavekout.models.shapes import Need
from leavekout.planning.costs import FLOAT_MB, Cost, Costs


class InfluenceFamily(Family[Influence]):
    """Each entry is a solver on projected gradients, which are computed once for several."""

    section = "influence"
    key = KeyInfo(Influence, "Scores from projected gradients.", BUILT_IN)
    shared_keys: ClassVar[Mapping[str, KeyInfo]] = {
        "gradients": KeyInfo(
            Gradients,
            "Projected per-sample gradients, shared by `influence` methods.",
            BUILT_IN_GRADIENTS,
        ),
    }

    def gradients(self, e: Experiment) -> Mapping[str, Gradients]:
        """The experiment's projected gradients, by name."""
        return getattr(e, "gradients")  # noqa: B009  # `Experiment` declares no family's key

    def references(self, entry: Tree) -> list[tuple[str, str]]:
        """Its gradients."""
        return [("gradients", str(entry.get("gradients", "loss")))]

    def all_problems(self, e: Experiment, used: set[str]) -> Iterator[Problem]:
        """Unpaired draws of gradients, and what cannot work in the entries."""
        for name, gradients in self.gradients(e).items():
            if gradients.antithetic and gradients.draws % 2:
                yield "gradients", name, "draws", ODD_PAIRS
        yield from super().all_problems(e, used)

    def problems(self, e: Experiment, entry: Influence, *, used: bool) -> Iterator[Problem]:
        """Gradients that do not exist or do not fit the solver, and unpaired draws."""
        found = self.gradients(e).get(entry.gradients)
        if found is None:
            yield "gradients", "is no entry of 'gradients'"
            return
        if entry.solver == "datainf" and found.layout != "by_layer":
            yield "solver", "needs gradients with the layout 'by_layer'"
        if (entry.solver == "das") != (found.objective == "mean_output"):
            reason = "has to be 'das' for gradients of the objective 'mean_output', and only then"
            yield "solver", reason
        if found.antithetic and entry.query_draws % 2:
            yield "query_draws", ODD_PAIRS
        if found.shared_draws and entry.query_draws != found.draws:
            yield "query_draws", SHARED_DRAWS.format(found.draws)
        if entry.solver == "datainf" and entry.damping == 0:
            yield "damping", "has to be above 0 for 'datainf'"
        if entry.query_timestep is not None and used and not e.generates_queries():
            yield (
                "query_timestep",
                "needs queries that are generated here, to follow the sampler on its way to them",
            )
        last = e.model.process.timesteps - 1
        if entry.query_timestep is not None and entry.query_timestep > last:
            yield "query_timestep", f"is beyond the last one, {last}"

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients of the weights that are projected."""
        name = self.entries(e)[method].gradients
        yield Need(f"gradients.{name}", self.gradients(e)[name].weights)

    def source_seeds(self, e: Experiment, method: str) -> Sequence[int]:
        """Of the ensemble."""
        return self.entries(e)[method].source_seeds

    def cost(self, costs: Costs, method: str) -> Cost:
        """Of the gradients of the queries, a kernel, and products with it."""
        entry = self.entries(costs.e)[method]
        dimension, models = (
            self.gradients(costs.e)[entry.gradients].dimension,
            len(entry.source_seeds),
        )
        images = costs.images * costs.flips
        kernel_mb = 2 * FLOAT_MB * dimension**2  # in double precision
        cost = costs.cost(
            gradients=models * costs.queries * entry.query_draws,
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
        entry, images = self.gradients(costs.e)[name], costs.images * costs.flips
        layers = 32 if entry.layout == "by_layer" else 1
        halves = 1 if entry.draws % 2 else 2
        return costs.cost(
            gradients=images * entry.draws,
            memory_mb=2 * costs.weights_mb,
            disk_mb=FLOAT_MB * images * halves * layers * entry.dimension,
            resumes=True,
        )

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """Projected gradients of each model, further models, and DAS's losses."""
        entry, paths = self.entries(e)[method], []
        if entry.query_timestep is not None:
            paths.append(f"trace_queries/source/{entry.query_timestep}")
        for seed in entry.source_seeds:
            paths.append(f"project_gradients/{entry.gradients}/seed{seed}")
            model = "source"
            if e.training and seed != e.training.seed:
                model = f"seed{seed}"
                paths.append(f"retrain/no_removal/{model}/k0")
            if entry.solver == "das":
                paths.append(f"source_losses/{model}/loss")
        return paths


INFLUENCE = InfluenceFamily()
