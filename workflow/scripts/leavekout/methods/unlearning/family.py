"""The family of attribution by unlearning: its refusals, costs and preparation."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from leavekout.config.experiment import Experiment
from leavekout.methods.family import Family, KeyInfo, Problem
from leavekout.methods.unlearning.settings import BUILT_IN, SKEW_FROM, Unlearning
from leavekout.models.shapes import Need
from leavekout.planning.costs import Cost, Costs


class UnlearningFamily(Family[Unlearning]):
    """Each entry is a variant: which weights, by which step, and how scores are read."""

    section = "unlearning"
    key = KeyInfo(Unlearning, "Variants of attribution by unlearning.", BUILT_IN)

    def problems(self, e: Experiment, entry: Unlearning, *, used: bool) -> Iterator[Problem]:
        """Steps, boxes and readouts that do not fit."""
        if entry.step == "mirrored" and (entry.objective != "loss" or entry.boxes):
            yield (
                "step",
                "is 'mirrored', which is for the loss of whole pictures: without 'boxes', and "
                "with the objective 'loss'",
            )
        if entry.curvature == "ekfac" and entry.weights != "cross_attention_kv":
            yield (
                "weights",
                "has to be 'cross_attention_kv' for 'ekfac', which is for linear layers "
                "without bias",
            )
        if entry.without_token and not e.prompts_have_tokens:
            reason = "is for the queries of customized models, whose prompts contain a token"
            yield "without_token", reason
        if entry.readout == "skew" and not _has_noisy_timesteps(e):
            yield (
                "readout",
                "is 'skew', which reads the noisier 70 % of the timesteps, and "
                "'losses.timestep_stride' leaves none of them",
            )
        for query, (left, top, right, bottom) in entry.boxes.items():
            if query not in e.query_names() and used:
                yield "boxes", query, "is no query"
            if left >= right or top >= bottom:
                yield "boxes", query, "has no inside; a box is [left, top, right, bottom]"

    def needs(self, e: Experiment, method: str) -> Iterator[Need]:
        """Per-sample gradients, for the curvature of Newton steps."""
        entry = self.entries(e)[method]
        ekfac = entry.step == "newton" and entry.curvature == "ekfac"
        yield Need(f"{self.section}.{method}", entry.weights, ekfac)

    def unlearns(self, e: Experiment, method: str) -> bool:
        """All but mirrored unlearning, which needs training images, too."""
        return method in self.entries(e) and self.entries(e)[method].step != "mirrored"

    def step_cost(self, costs: Costs, method: str) -> Cost:
        """Of the step alone, for one query."""
        entry = self.entries(costs.e)[method]
        # Mirrored unlearning sees as many training images as copies of the query.
        mirrored = entry.step == "mirrored"
        return costs.cost(
            training=(2 if mirrored else 1) * entry.steps * entry.gradient_samples,
            further_seconds=costs.loading if mirrored else 0,
            memory_mb=(costs.data_mb if mirrored else 0) + 6 * costs.weights_mb,
            disk_mb=costs.weights_mb,
        )

    def cost(self, costs: Costs, method: str, *, share: float = 1.0) -> Cost:
        """Of one query: its step, and the sweep after it of a share of the images."""
        after = share * (costs.sweep().seconds - costs.rates.start_seconds)
        if refine := costs.e.losses.refine:
            images = refine.share * costs.images * costs.flips
            forward = images * costs.passes(refined=True)
            after += forward / costs.rates.forward_per_second
        step = self.step_cost(costs, method)
        disk_mb = 3 * costs.scores_mb()
        return replace(step, seconds=step.seconds + after, disk_mb=disk_mb, resumes=True)

    def curvature(self, e: Experiment, method: str) -> str | None:
        """The file of a Newton step's curvature, without its ending; gradient ascent needs none."""
        entry = self.entries(e)[method]
        folder = {"diagonal": "fisher", "ekfac": "ekfac"}[entry.curvature]
        return f"{folder}/{entry.weights}" if entry.step == "newton" else None

    def parameters(self, e: Experiment, method: str) -> dict[str, Any]:
        """What a method's scores depend on, beside its inputs.

        Without boxes, since a box belongs to one query and another query's box reruns nothing.
        """
        settings = self.entries(e)[method].model_dump(mode="json") | {"boxes": {}}
        return {key: value for key, value in settings.items() if key != "without_token"}

    def preparation(self, e: Experiment, method: str) -> list[str]:
        """The source model's losses, and the curvature of Newton steps."""
        paths = [f"source_losses/source/{self.entries(e)[method].objective}"]
        if e.losses.refine:
            paths.append(f"source_losses/source/refined/{self.entries(e)[method].objective}")
        curvature = self.curvature(e, method)
        return [*paths, f"estimate_{curvature}"] if curvature else paths


def _has_noisy_timesteps(e: Experiment) -> bool:
    timesteps, stride = e.model.process.timesteps, e.losses.timestep_stride
    return (timesteps - 1) // stride * stride >= SKEW_FROM * timesteps


UNLEARNING = UnlearningFamily()
