"""The settings of per-sample gradients, which several families of methods share."""

from typing import Literal

from leavekout.config.fields import (
    GradientObjective,
    Positive,
    Precision,
    Section,
    Seed,
    WeightSubset,
    added_field,
)


class GradientDraws(Section):
    """The draws of (timestep, noise, caption) that per-sample gradients are averaged over."""

    objective: GradientObjective = "loss"
    """The function whose gradient is taken, as under `unlearning`, or `mean_output`, the mean of
    ε_θ (DAS)."""
    weights: WeightSubset = "cross_attention_kv"
    """The weights that the gradient is with respect to, as under `unlearning`."""
    timesteps: Literal["random", "uniform", "stratified"] = "random"
    """How the timesteps of the draws are chosen. `uniform` spaces them evenly (D-TRAK).
    `stratified` divides the timesteps into equal stretches, one for each draw, and takes a random
    timestep from each (FMAS)."""
    draws: Positive = 10
    """Draws of (timestep, noise, caption) over which an image's gradient is averaged."""
    antithetic: bool = added_field(False)
    """Whether every second draw has the timestep and the negative of the noise before it (FMAS)."""
    shared_draws: bool = added_field(False)
    """Whether all images and queries have the same timesteps and noises (Motive). Captions are
    still drawn for each image. A query then has the same number of `draws`, too."""
    seed: Seed = 0
    """Seed of draws and projections. Each further source model has its own projection."""
    precision: Precision = "float32"
    """Precision of the gradients, as under `training`. Projections are in float32."""
