"""The configuration of distilled features."""

from typing import Annotated, Any

from pydantic import Field

from leavekout.config.fields import (
    Fraction,
    Name,
    Positive,
    PositiveFloat,
    Section,
    Seed,
    added_field,
)


class Distilled(Section):
    """Distilled features (FDA). It is a method, named by its key.

    A small network learns from a variant of unlearning, the teacher, how it ranks the nearest
    neighbours of `queries.teacher` queries that no number is reported of. It then scores a query by
    features alone: those of an image encoder, beside CLIP's of the prompt or the first caption.
    """

    teacher: Name = "abu-plus"
    """An entry of `unlearning`."""
    encoder: Name = "dino"
    """The image encoder, by whose features neighbours are found, too."""
    candidates: Positive = 300
    """How many nearest neighbours of a query are ranked."""
    width: Positive = 768
    """Units of each layer, and dimensions of the distilled features."""
    layers: Positive = 3
    """Hidden layers."""
    dropout: Fraction = 0.1
    """Dropout of each hidden layer."""
    outside: Fraction = 0.1
    """Chance of an image from outside the neighbours, which counts as the last of them."""
    epochs: PositiveFloat = 30
    """Passes over all pairs of a query and a neighbour."""
    batch_size: Positive = 256
    """Pairs of a batch."""
    learning_rate: PositiveFloat = 1e-3
    """AdamW's learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's weight decay."""
    seed: Seed = 0
    """Seed of initial weights, pairs and dropout."""
    students: Positive = added_field(1)
    """How many networks learn, from this seed and those that follow it. Scores are the mean of
    theirs; of two or more, those of every second say how well scores repeat."""


BUILT_IN: dict[str, dict[str, Any]] = {"distilled": {}}
