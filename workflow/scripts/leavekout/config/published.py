"""The section `published`: artifacts that others published, in place of ours."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from leavekout.config.download import Download, File
from leavekout.config.encoders import HubFolder
from leavekout.config.fields import Name, PathText, Positive, Section, added_field


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "<path>"
    keys = value if isinstance(value, Mapping) else value.model_fields_set
    return "<Download>" if {"file", "url"} & {*keys} else "<HubFolder>"


# Beside a file, a folder of a model repository.
FileOrModel = Annotated[
    Annotated[PathText, Tag("<path>")]
    | Annotated[Download, Tag("<Download>")]
    | Annotated[HubFolder, Tag("<HubFolder>")],
    Discriminator(_form),
]


class PublishedQueries(Section):
    """Queries of others, in their order: test queries, then from the end tuning queries and the
    teacher's."""

    prompts: File
    """A text file with a prompt in each line. Alone, pictures are generated from it, with our
    noise."""
    latents: File | None = None
    """File with an array [Q, 4, h, w] of the sampler's final latents, as the denoiser sees them.
    Then nothing is generated."""
    pictures: File | None = None
    """Folder with a picture of each prompt, `0.png`, `1.png`, … Without `latents` the VAE encodes
    them; with `latents` they have to be what the VAE decodes."""


class PublishedCurvature(Section):
    """The curvature of weights at the source model, in place of an estimate.

    All forms are means over samples of the squared gradient of our loss, the mean squared error
    over a latent's entries.
    """

    diagonal: File | None = None
    """The diagonal Fisher: a file of tensors by the weights' names (AttributeByUnlearning)."""
    ekfac: File | None = None
    """EK-FAC factors: a folder of kronfluence's four files, `activation_eigenvectors`,
    `gradient_eigenvectors`, `lambda_matrix` and `num_lambda_processed.safetensors`. Sums over
    samples become means."""


class PublishedScores(Section):
    """Scores of all training images that others published for the `queries`.

    The target `published_check` compares them with ours. Under `external` they are a method, as
    `my-name: published.scores`.
    """

    file: File
    """An npy file, or a pickle of arrays in dictionaries. No code in it is run."""
    entry: str = ""
    """Keys of the array within a pickle, joined by dots."""
    ranks: bool = False
    """Whether each row of the array [Q, N] lists images, the most influential first, and not the
    images' scores."""
    method: Name
    """Our method that the scores are compared with."""
    queries: Positive = 2
    """Queries that are compared, the first of the test queries."""
    least: Annotated[float, Field(gt=0, le=1)] = 0.85
    """The check fails if a rank correlation is below this share of the correlation that our own
    scores would have with themselves if their noise were drawn again."""


class Published(Section):
    """Artifacts that others published, in place of what would be trained or encoded here.

    Each is a local path, or a section that says where to fetch it. `coco-published.yaml` has the
    addresses of the papers' files.

    A published source model shares neither initial weights nor random stream with the retrainings.
    The loss of retrainings without removal (K = 0) is then the noise floor, and `random` is the
    control to compare with.
    """

    source_model: FileOrModel | None = None
    """Weights of the denoiser, used in place of a source model that is trained here. It is a file
    (safetensors, or a PyTorch file of tensors alone), a section that says where to fetch one, as
    for `latents`, or a section for a model in the format of diffusers."""
    latents: File | None = None
    """File with an array [F·N, 4, h, w], all images and then all flips, used in place of encoding.
    Rows drawn over the whole file are compared with what the `encoders` compute. Another order or
    scale is refused."""
    text: File | None = None
    """File with an array [N, C, T, E] of text states, used in place of encoding. It is checked as
    `latents` are. New content of a local file is noticed only under a new name."""
    order: Literal["ours", "annotations"] = added_field("ours")
    """Order of images in `latents`, `text` and `scores`. `ours`: by image id, captions by
    annotation id. `annotations`: both as in the annotation file; arrays are permuted."""
    queries: PublishedQueries | None = added_field(None)
    """Queries, used in place of sampling prompts."""
    fisher: PublishedCurvature | None = added_field(None)
    """Curvature, used in place of estimates of ours."""
    scores: PublishedScores | None = added_field(None)
    """A method's scores, to compare ours with."""

    @model_validator(mode="after")
    def _scores_are_of_queries(self) -> Self:
        if self.scores and not self.queries:
            raise PydanticCustomError(
                "one_of", "has 'scores', which need the 'queries' that they are of"
            )
        return self

    def downloads(self) -> list[Download]:
        """The files that are fetched."""
        sections = (self, self.queries, self.fisher, self.scores)
        values = [value for section in sections if section for value in vars(section).values()]
        return [value for value in values if isinstance(value, Download)]
