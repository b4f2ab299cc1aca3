"""The configuration of attribution by similarity of features."""

from typing import Any, Literal

from leavekout.config.download import File
from leavekout.config.fields import Name, Section


class Embedding(Section):
    """Attribution by similarity of an encoder's features. It is a method, named by its key.

    A score is the cosine similarity between the features of the query and of a training image.
    """

    encoder: Name = "clip"
    """`clip`, or another of the `encoders`: a model folder of open_clip, timm or transformers, with
    the preprocessing that the folder defines. The feature of a vision transformer is the final
    class token."""
    features: Literal["image", "text"] = "image"
    """`image`: the better score of an image and its flip. `text` (of `clip` only): the prompt is
    compared with captions, and the score is the average over an image's captions."""
    mapper: File | None = None
    """Linear layers h(f) = W f + b that features go through before they are compared (CLIP and DINO
    of *Attribution by Customization*): a file, which is safetensors or a PyTorch file of tensors
    alone, or a section for one that is fetched. With two layers as published, `real_mapper` is
    applied to training images and `synth_mapper` to the query: the score is the cosine of
    h_real(f(z)) and h_synth(f(ẑ)). One layer alone is applied to both sides. Features f are as the
    encoder gives them, and only the results are divided by their lengths."""


BUILT_IN: dict[str, dict[str, Any]] = {
    "clip": {},
    "clip-text": {"features": "text"},
    "dino": {"encoder": "dino"},
    "dinov2": {"encoder": "dinov2"},
}
