"""The section `model`: the denoiser, and its target."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_serializer, model_validator
from pydantic_core import PydanticCustomError

from leavekout.config.fields import Positive, PositiveFloat, Section

# Alternatives; the section has one of each.
_DENOISERS = "unet", "transformer"
_PROCESSES = "noise_schedule", "flow_matching"


class NoiseSchedule(Section):
    """The forward process of DDPM, whose noise ε the denoiser predicts."""

    timesteps: Positive
    """Number of timesteps."""
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
    """How β changes over the timesteps, by its name in diffusers."""
    beta_start: PositiveFloat
    """β of the first timestep."""
    beta_end: PositiveFloat
    """β of the last timestep."""


class FlowMatching(Section):
    """Rectified flow: x_t = (1 − t) x_0 + t ε, whose velocity ε − x_0 the denoiser predicts."""

    timesteps: Positive
    """Number of timesteps. They are quantiles of `density`, between 0 (data) and 1 (noise), so that
    a mean over timesteps is a mean over the density."""
    density: Literal["uniform", "logit_normal"]
    """Distribution of times: `uniform`, or `logit_normal`, which has more in the middle
    (Stable Diffusion 3)."""


class Model(Section):
    """The denoiser, and what it is trained to predict.

    The denoiser is a `unet` or a `transformer`. It predicts the noise of a `noise_schedule` or the
    velocity of `flow_matching`. A file that `extends` another sets to `null` what it replaces.
    """

    unet: dict[str, object] | None = None
    """Arguments of `diffusers.UNet2DConditionModel`, passed unchanged. `sample_size` is the side of
    a latent: the images' side divided by 2^(n-1) for a VAE of n levels. `cross_attention_dim` is
    the width of the text states, which is CLIP's width for encoders that are trained here."""
    transformer: dict[str, object] | None = None
    """Arguments of `diffusers.PixArtTransformer2DModel`, passed unchanged. `sample_size` is as
    above, and `caption_channels` is the width of the text states (`cross_attention_dim`, if the
    text is not projected first)."""
    noise_schedule: NoiseSchedule | None = None
    """Diffusion: how noise is added to latents."""
    flow_matching: FlowMatching | None = None
    """Flow matching, in place of a noise schedule."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for names in (_DENOISERS, _PROCESSES):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) != 1:
                raise PydanticCustomError(
                    "one_of", "has to have either " + " or ".join(f"'{n}'" for n in names)
                )
        return self

    @model_serializer(mode="wrap")
    def _without_none(self, handler: Any) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

    @property
    def architecture(self) -> str:
        """The denoiser's kind, which is the name of its file in `leavekout/models/`."""
        return next(name for name in _DENOISERS if getattr(self, name) is not None)

    @property
    def key(self) -> str:
        """The key of the denoiser's arguments in the configuration."""
        return f"model.{self.architecture}"

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The denoiser's arguments."""
        arguments: Mapping[str, Any] = getattr(self, self.architecture)
        return arguments

    @property
    def process(self) -> NoiseSchedule | FlowMatching:
        """The process that defines noised latents and the target."""
        process = self.noise_schedule or self.flow_matching
        assert process  # `_one_of_each` requires one
        return process
