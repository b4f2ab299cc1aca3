"""The configuration of nonparametric attribution by patches."""

from typing import Annotated, Any

from pydantic import Field

from leavekout.config.fields import Distinct, Positive, Section, Seed


class Patches(Section):
    """Nonparametric attribution (NDA), which needs no model. It is a method, named by its key.

    A query's latents are noised, and each patch of them is compared with all patches of the
    training latents. (The paper's code compares pixels; what our models are trained on are
    latents.)
    """

    patch: Positive = 3
    """Side of a patch, in latents; odd."""
    timesteps: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1), Distinct] = [
        *(300, 400, 500, 600, 700)
    ]
    """Timesteps at which the query is noised. Scores are the mean over them."""
    best: Positive = 100
    """How many patches of an image count, those most like the query's."""
    seed: Seed = 0
    """Seed of the noise."""


BUILT_IN: dict[str, dict[str, Any]] = {"nda": {}}
