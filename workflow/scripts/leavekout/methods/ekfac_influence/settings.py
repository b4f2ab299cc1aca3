"""The configuration of influence by EK-FAC."""

from typing import Any, Literal

from leavekout.config.fields import Positive, PositiveFloat, WeightSubset
from leavekout.config.gradients import GradientDraws


class EkfacInfluence(GradientDraws):
    """Influence by EK-FAC. It is a method, named by its key.

    A score is ∇L(ẑ)ᵀ (G + λI)⁻¹ ∇L(z), with G the Gauss-Newton matrix in EK-FAC form, estimated
    from sampled output gradients (`fisher.samples` of them). Gradients are not projected. `weights`
    have to be of linear and convolution layers: `matrices` are all of them.
    """

    weights: WeightSubset = "matrices"
    """The weights that gradients are taken of: of linear and convolution layers without bias."""
    draws: Positive = 20
    """Draws of (timestep, noise, caption) over which an image's gradient is averaged."""
    query_draws: Positive = 1000
    """Draws of (timestep, noise) over which the query's gradient is averaged."""
    damping: PositiveFloat = 0.01
    """λ."""
    damping_of: Literal["layer", "absolute"] = "layer"
    """`layer`: λ is multiplied by the mean eigenvalue of a layer (FMAS: 0.01). `absolute`: λ is
    added to all eigenvalues as it is (Mlodozeniec et al.: 1e-8)."""


BUILT_IN: dict[str, dict[str, Any]] = {
    "ekfac": {"damping": 1e-8, "damping_of": "absolute"},
    "fmas": {"timesteps": "stratified", "antithetic": True},
}
