"""The configuration of attribution by unlearning."""

from typing import Annotated, Any, Literal

from pydantic import Field

from leavekout.config.fields import (
    Box,
    Objective,
    Positive,
    PositiveFloat,
    Precision,
    QueryName,
    Section,
    Seed,
    WeightSubset,
    added_field,
)

# How losses before and after unlearning become a score; see `readout.py`.
Readout = Literal["difference", "skew"]
SKEW_FROM = 0.3  # of the timesteps; the skew is read at the noisier rest


class Unlearning(Section):
    """A variant of attribution by unlearning. It is a method, named by its key.

    **Fisher entries near zero** belong to weights that the training data hardly uses. Without
    damping, eq. 5 moves these weights without bound, because the query's gradient falls only with
    the square root of its own square. With `damping`, no entry is divided by less than λ times the
    mean entry. The damping is relative, so a λ means the same for models of any size. `damping: 0`
    is the published code's division. It is refused if an entry is exactly zero.
    """

    weights: WeightSubset = "cross_attention_kv"
    """The weights that are unlearned. `feed_forward`: the weights of the blocks' perceptrons and of
    the text's own embedding, without biases (MUCS); a U-Net has no such embedding."""
    objective: Objective = "loss"
    """What the step's gradient and the scores are of. `squared_output` puts ‖ε_θ‖² in the place of
    the loss. F remains that of the loss."""
    step: Literal["newton", "gradient_ascent", "mirrored"] = "newton"
    """`newton`: θ ← θ + (α/N) F⁻¹ ∇L(ẑ, θ), eq. 5 of the paper. `gradient_ascent`: θ ← θ + α
    ∇L(ẑ, θ). `mirrored` (MUCS): AdamW descends the loss of training images and ascends the query's,
    bounded by the loss of a model that has learned nothing, until the query's comes near it."""
    curvature: Literal["diagonal", "ekfac"] = "diagonal"
    """F of Newton steps. `diagonal`: the diagonal Fisher information. `ekfac`: EK-FAC (AbU+), which
    needs `cross_attention_kv`, as it is for linear layers without bias."""
    step_size: PositiveFloat = 0.1
    """α, or AdamW's learning rate where the step is `mirrored` (MUCS: a tenth of training's)."""
    steps: Positive = 1
    """Number of steps; for `mirrored` the most that are taken."""
    damping: Annotated[float, Field(ge=0)] = 0.0
    """λ of Newton steps. The step divides by F + λ · mean(F). The mean is over all entries of the
    subset, with `ekfac` over a layer's eigenvalues."""
    gradient_samples: Positive = 5000
    """Draws of (timestep, noise) over which a query's gradient is averaged. For `mirrored`, the
    training images of a step, beside as many copies of the query."""
    seed: Seed = 0
    """Seed of these draws."""
    precision: Precision = added_field("float32")
    """Precision of these gradients, as under `training`."""
    readout: Readout = added_field("difference")
    """How scores are read from the unlearned model. `difference`: L(z, θ_−ẑ) − L(z, θ0), eq. 6.
    `skew` (MUCS): the mean over noises of (l_−ẑ − l_0) / (l_−ẑ + l_0 + 10⁻³), at the noisier 70 %
    of the timesteps."""
    boxes: dict[QueryName, Box] = {}
    """Spatially localized attribution: for some queries, the part of the picture to unlearn,
    `[left, top, right, bottom]` as fractions of its size, for example `boxes: { q003: [0, 0, 0.5,
    1] }`."""
    without_token: bool = added_field(False)
    """Whether the query of a customized model is unlearned with its prompt without V*."""


# Step sizes and damping are those that the digits study chose on its tuning queries.
BUILT_IN: dict[str, dict[str, Any]] = {
    "unlearning": {"damping": 0.1},
    "abu-plus": {"curvature": "ekfac", "step_size": 0.2, "damping": 0.1},
    "unlearning-skew": {"step_size": 0.03, "damping": 0.1, "readout": "skew"},
    "mucs": {
        "weights": "feed_forward",
        "step": "mirrored",
        "step_size": 4e-4,
        "steps": 600,
        "gradient_samples": 100,
        "readout": "skew",
    },
}
