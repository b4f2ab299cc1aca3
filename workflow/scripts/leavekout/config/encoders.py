"""The configuration's sections on encoders: trained, or fetched."""

from typing import Annotated, Literal

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

# A latent of an image: the mean of the VAE's posterior, or one sample of it, with noise keyed to
# image and flip.
Latents = Literal["mean", "sampled"]


class VaeTraining(Section):
    """A small `diffusers.AutoencoderKL`, trained on the training images with AdamW."""

    channels: list[Positive]
    """Channels of each level. With n levels, a side of a latent is 2^(n-1) times smaller than a
    side of its image."""
    latent_channels: Positive
    """Channels of a latent."""
    norm_groups: Positive
    """Groups of the group norms."""
    epochs: Positive
    """Epochs of the training."""
    batch_size: Positive
    """Images of a batch."""
    learning_rate: PositiveFloat
    """Learning rate at the start. It falls to zero along a cosine."""
    kl_weight: Annotated[float, Field(ge=0)]
    """Weight of the KL term against the squared error."""
    seed: Seed
    """Seed of the training."""


class ClipTraining(Section):
    """A small open_clip model, trained on pairs of image and caption with AdamW."""

    width: Positive
    """Width of both towers, and so of the text states. The denoiser has to expect this width."""
    layers: Positive
    """Layers of each tower."""
    heads: Positive
    """Attention heads of each tower."""
    patch_size: Positive
    """Pixels of a patch's side."""
    context_length: Positive
    """Tokens of a caption."""
    epochs: Positive
    """Epochs of the training."""
    batch_size: Positive
    """Image-caption pairs of a batch."""
    learning_rate: PositiveFloat
    """Learning rate at the start. It falls to zero along a cosine."""
    seed: Seed
    """Seed of the training."""


class DinoTraining(Section):
    """A small vision transformer, trained on the images by self-distillation with AdamW."""

    width: Positive
    """Width of the vision transformer."""
    layers: Positive
    """Layers of the vision transformer."""
    heads: Positive
    """Attention heads of the vision transformer."""
    patch_size: Positive
    """Pixels of a patch's side."""
    prototypes: Positive
    """Outputs of DINO's projection head."""
    epochs: Positive
    """Epochs of the training."""
    batch_size: Positive
    """Images of a batch."""
    learning_rate: PositiveFloat
    """Highest learning rate of PyTorch's one-cycle schedule, in which a tenth of the steps warm
    up."""
    teacher_momentum: Fraction
    """Share of itself that the teacher keeps in a step, at the start. It rises to 1 along a
    cosine."""
    seed: Seed
    """Seed of the training."""


class TrainedEncoders(Section):
    """Encoders that are trained here, from scratch, on the training images."""

    source: Literal["train"]
    """Selects this kind of section."""
    vae: VaeTraining
    """The VAE."""
    clip: ClipTraining
    """CLIP, whose text tower is the text encoder."""
    dino: DinoTraining
    """DINO."""
    latents: Latents = added_field("mean")
    """Latents of the training images: the `mean` of the VAE's posterior, or `sampled` from it once,
    as JourneyTRAK's and FastGDA's code does."""

    def names(self) -> set[str]:
        """The image encoders that embeddings and measures can use."""
        return {"clip", "dino"}


class HubFolder(Section):
    """The section names a folder of a model repository, at one revision."""

    repo: str
    """Name of the repository, or a local folder of the same layout."""
    revision: str
    """Revision of the repository. It has no meaning for a local folder."""
    folder: str = ""
    """Folder within the repository, if the model is not the whole repository."""


class FetchedEncoders(Section):
    """Published encoders, downloaded once.

    Only safetensors weights are taken. They are checked against the hub's checksums.
    """

    source: Literal["fetch"]
    """Selects this kind of section."""
    endpoint: str | None = None
    """Address of a hub other than the public one. No token of yours is sent to it."""
    vae: HubFolder
    """The VAE, in the format of diffusers."""
    text_encoder: HubFolder
    """The text encoder, in the format of transformers."""
    tokenizer: HubFolder
    """The tokenizer, in the format of transformers."""
    clip: HubFolder
    """The CLIP model, in the format of open_clip."""
    more: dict[Name, HubFolder] = {}
    """Further encoders by name, for `embeddings`."""
    latents: Latents = added_field("mean")
    """Latents of the training images: the `mean` of the VAE's posterior, or `sampled` from it once,
    as JourneyTRAK's and FastGDA's code does."""

    def names(self) -> set[str]:
        """The image encoders that embeddings and measures can use."""
        return {"clip", *self.more}
