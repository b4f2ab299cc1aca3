"""The configuration of DMin."""

from typing import Any, Literal

from leavekout.config.fields import Positive
from leavekout.config.gradients import GradientDraws


class Dmin(GradientDraws):
    """Inner products of compressed gradients (DMin). It is a method, named by its key.

    The gradient of each draw is scaled to length one and compressed: its entries are permuted,
    given random signs, and added up in groups. A score is the mean over draws of the inner product
    of the query's vector and the image's, at the same timestep. (The paper takes the gradients of
    low-rank adapters; ours are of `weights`.)
    """

    timesteps: Literal["random", "uniform", "stratified"] = "uniform"
    """How the timesteps of the draws are chosen. Query and image have to have the same, so
    `uniform`, evenly spaced, unless they share all draws (`shared_draws`)."""
    dimension: Positive = 1024
    """Number of groups, and so of entries of a compressed gradient."""


BUILT_IN: dict[str, dict[str, Any]] = {"dmin": {}}
