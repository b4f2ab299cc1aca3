"""The configuration of influence by projected gradients."""

from typing import Annotated, Any, Literal

from pydantic import Field

from leavekout.config.fields import Distinct, Name, Positive, Section, Seed, added_field
from leavekout.config.gradients import GradientDraws


class Gradients(GradientDraws):
    """Projected per-sample gradients of the training images.

    They are computed once. Entries of `influence` refer to them by their key. An image's gradient
    is averaged over its draws before it is projected.
    """

    normalise: bool = added_field(False)
    """Whether the gradient of each draw is scaled to length one, once projected, before the draws
    are averaged (DAS)."""
    layout: Literal["joint", "by_layer"] = "joint"
    """`joint`: one projection of all weights. `by_layer`: one projection for each weight tensor
    (DataInf)."""
    dimension: Positive = 1024
    """p, the dimension of each projection: p rows of a Hadamard matrix with random signs, drawn
    without replacement. Entries are ±1."""


class Influence(Section):
    """Scores of images by their projected gradients. Each entry is a method, named by its key."""

    gradients: Name = "loss"
    """An entry of `gradients`."""
    solver: Literal["ridge", "datainf", "das", "cosine"] = "ridge"
    """`ridge`: φ(z)ᵀ (ΦᵀΦ + λI)⁻¹ φ(ẑ) (TRAK, D-TRAK). `datainf`: DataInf's closed form, layer by
    layer. `das`: the diffusion attribution score, from the gradient of the mean output and the
    images' losses. `cosine`: the cosine between φ(z) and φ(ẑ) (ReTrac, Motive)."""
    damping: Annotated[float, Field(ge=0)] = 0.0
    """For `ridge` and `das`: λ, in the units of ΦᵀΦ. For `datainf`: λ divided by the mean squared
    gradient entry of a layer; it has to be above 0. `cosine` uses none."""
    query_draws: Positive = 1000
    """Draws of (timestep, noise) over which the query's gradient is averaged (JourneyTRAK: 20)."""
    query_timestep: Annotated[int, Field(ge=0)] | None = None
    """One timestep t for all of these draws (JourneyTRAK: 400). Then not the query's final latents
    are noised, but x̂_0 as the sampler predicted it at t, with guidance and clamp, while it
    generated the query. Of a sampler with fewer steps, the visited timestep nearest to t counts."""
    source_seeds: Annotated[list[Seed], Field(min_length=1), Distinct] = [0]
    """Training seeds of the source models whose scores are averaged. The seed of `training` is θ0.
    Other seeds are trained as further source models, which `retrain_seeds` share."""


# Sized for the digits study, and damping as it chose on its tuning queries.
BUILT_IN_GRADIENTS: dict[str, dict[str, Any]] = {
    "loss": {},  # TRAK
    "output": {  # D-TRAK
        "objective": "squared_output",
        "weights": "all",
        "timesteps": "uniform",
        "dimension": 2048,
    },
    "layers": {"layout": "by_layer", "dimension": 512},  # DataInf
    "mean-output": {"objective": "mean_output", "timesteps": "uniform", "normalise": True},  # DAS
    "shared": {"weights": "all", "shared_draws": True, "dimension": 2048},  # Motive
    "trak-published": {"weights": "all", "draws": 20, "dimension": 512},
}
BUILT_IN: dict[str, dict[str, Any]] = {
    "trak": {"damping": 0.5},
    "trak-published": {"gradients": "trak-published"},
    "journey-trak": {"damping": 0.5, "query_timestep": 400},
    "d-trak": {"gradients": "output", "damping": 800.0, "query_draws": 100},
    "datainf": {"gradients": "layers", "solver": "datainf", "damping": 0.1},
    "das": {"gradients": "mean-output", "solver": "das", "damping": 10.0, "query_draws": 100},
    "retrac": {"solver": "cosine"},
    "motive": {"gradients": "shared", "solver": "cosine", "query_draws": 10},
}
