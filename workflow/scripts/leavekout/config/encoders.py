"""The configuration's sections on encoders: trained here, fetched, or what others computed."""

from typing import Annotated, Literal

from pydantic import Field

from leavekout.config.fields import Fraction, Name, Positive, PositiveFloat, Section, Seed


class VaeTraining(Section):
    """A small `diffusers.AutoencoderKL` trained on the training images."""

    channels: list[Positive]
    latent_channels: Positive
    norm_groups: Positive
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    kl_weight: Annotated[float, Field(ge=0)]
    seed: Seed


class ClipTraining(Section):
    """A small open_clip model trained on the image-caption pairs."""

    width: Positive
    layers: Positive
    heads: Positive
    patch_size: Positive
    context_length: Positive
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    seed: Seed


class DinoTraining(Section):
    """A small vision transformer trained on the training images by self-distillation."""

    width: Positive
    layers: Positive
    heads: Positive
    patch_size: Positive
    prototypes: Positive
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    teacher_momentum: Fraction
    seed: Seed


class TrainedEncoders(Section):
    """Encoders trained here, from scratch, on the experiment's own images."""

    source: Literal["train"]
    vae: VaeTraining
    clip: ClipTraining
    dino: DinoTraining


class HubFolder(Section):
    """A folder of a model repository, at one revision."""

    repo: str
    revision: str
    folder: str = ""


class FetchedEncoders(Section):
    """Published encoders, fetched once."""

    source: Literal["fetch"]
    endpoint: str | None = None
    vae: HubFolder
    text_encoder: HubFolder
    tokenizer: HubFolder
    clip: HubFolder
    more: dict[Name, HubFolder] = {}


class Published(Section):
    """Artifacts that others published, in place of what would be trained or encoded here."""

    source_model: str | HubFolder | None = None
    latents: str | None = None
    text: str | None = None
