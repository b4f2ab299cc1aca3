"""The typed configuration of the attribution methods, and of what is said about them."""

from typing import Annotated, Literal

from pydantic import Field

from leavekout.config.fields import (
    Box,
    Distinct,
    Name,
    Objective,
    Positive,
    PositiveFloat,
    Precision,
    QueryName,
    Section,
    Seed,
    WeightSubset,
)


class Unlearning(Section):
    """One variant of attribution by unlearning."""

    weights: WeightSubset
    objective: Objective = "loss"
    step: Literal["newton", "gradient_ascent"]
    curvature: Literal["diagonal", "ekfac"] = "diagonal"
    step_size: PositiveFloat
    steps: Positive
    damping: Annotated[float, Field(ge=0)] = 0.0
    gradient_samples: Positive
    seed: Seed
    boxes: dict[QueryName, Box] = {}
    without_token: bool = False


class Embedding(Section):
    """Attribution by similarity of an encoder's features."""

    encoder: Name
    features: Literal["image", "text"]
    mapper: str | None = None


class Gradients(Section):
    """Projected per-sample gradients of the training set, shared by influence methods."""

    objective: Objective
    weights: WeightSubset
    timesteps: Literal["random", "uniform"]
    draws: Positive
    layout: Literal["joint", "by_layer"]
    dimension: Positive
    seed: Seed
    precision: Precision = "float32"


class Influence(Section):
    """One method that scores images by their projected gradients."""

    gradients: Name
    solver: Literal["ridge", "datainf"]
    damping: Annotated[float, Field(ge=0)]
    query_draws: Positive
    query_timestep: Annotated[int, Field(ge=0)] | None = None
    source_seeds: Annotated[list[Seed], Field(min_length=1), Distinct]


class Oracle(Section):
    """The positive control: groups of images, each left out of a model of its own."""

    groups: Annotated[int, Field(ge=2)]

    def sizes(self, images: int) -> list[int]:
        """Sizes of the groups of N images, as equal as can be, the larger ones first."""
        return [images // self.groups + (i < images % self.groups) for i in range(self.groups)]


class Customization(Section):
    """How models are customized here, as Custom Diffusion does."""

    steps: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    prior_weight: Annotated[float, Field(ge=0)]
    initial_word: str
    seed: Seed


class Customized(Section):
    """The Customized Model benchmark: exemplars have to be found again in a pool of images."""

    root: str
    objects: Annotated[list[Name], Distinct]
    styles: Annotated[list[Name], Distinct]
    queries: Literal["generated", "given"]
    trained_on: Positive | None = None
    training: Customization | None = None

    def kinds(self) -> dict[str, str]:
        """The kind of each model, `object` or `style`, in the configuration's order."""
        return {**dict.fromkeys(self.objects, "object"), **dict.fromkeys(self.styles, "style")}


class Forgetting(Section):
    """The forgetting check: what else a model forgets with a query."""

    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    k: Annotated[list[Positive], Distinct]
    related: Positive
    seed: Seed
