"""The configuration of an experiment on customized models: what it has beyond `experiment.py`."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from leavekout.config.experiment import Dataset, Experiment
from leavekout.config.fields import (
    Distinct,
    Name,
    PathText,
    Positive,
    PositiveFloat,
    Section,
    Seed,
    added_field,
)
from leavekout.methods.registry import with_families

if TYPE_CHECKING:
    ExperimentWithMethods = Experiment
else:
    ExperimentWithMethods = with_families(Experiment)


class Customization(Section):
    """Models are customized as by Custom Diffusion.

    AdamW trains K and V of the cross-attention and the token's embedding.
    """

    steps: Positive
    """Steps of a customization."""
    batch_size: Positive
    """Exemplars of a batch. A batch also has as many images of the pool."""
    learning_rate: PositiveFloat
    """Learning rate of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW."""
    prior_weight: Annotated[float, Field(ge=0)]
    """Weight of the pool's loss relative to the exemplars' loss."""
    initial_word: str
    """The word whose embedding V* starts from."""
    seed: Seed
    """Seed of the customization."""


class TaskList(Section):
    """A file on the web."""

    url: str
    """Address of the file. A different address reruns nothing."""
    sha256: str
    """SHA-256 checksum that the file must have."""


class PublishedBenchmark(Section):
    """The benchmark as its authors published it: archives of a data set, and a list of queries.

    All models of that list are fetched, so another choice of models downloads nothing. A model's
    name is its path in that list: `models/artchive/african` is `artchive-african`.
    """

    repo: PathText
    """Name of the data set on the Hugging Face Hub, or a local folder of the same layout. The hub
    is that of `encoders.endpoint`."""
    revision: str
    """Revision of the data set. It has no meaning for a local folder."""
    tasks: TaskList
    """The list of queries, `all_tasks.json` of the authors' code."""


class Customized(Section):
    """The Customized Model benchmark: exemplars have to be found again in a pool of images.

    Models that are customized on a few exemplars generate queries, and methods have to find the
    exemplars among the images of `dataset`, the pool ([what is measured](../docs/customized.md)).
    Such an experiment retrains nothing. `queries.test` and `queries.tuning` are numbers for each
    model, and names of queries begin with the model's name: `slanted-q000`. `dataset.source` is
    `folder`, or `digits_custom`, which writes digits as a pool and as the folders of models, or
    `published`.

    Each model has a folder with the following files, which are written from the published ones if
    there is a section `published`. Captions and prompts contain `V*` in the place
    of the model's token.

    - `exemplars.json` and `exemplars/`: the exemplars and their captions in COCO's format, with at
      least `dataset.captions` captions for each image.
    - `queries.json` and `queries/`: pictures and prompts in COCO's format. Names of pictures
      contain no `<`. Where queries are `generated`, `queries.json` has no `images`, and there is no
      `queries/`.
    - `pytorch_custom_diffusion_weights.safetensors` (or `.bin`, `.pt`): the weights that differ
      from the base model's, as `save_attn_procs` of diffusers writes them, or by the denoiser's own
      names.
    - `<new1>.safetensors` (or `.bin`, `.pt`; any name in angle brackets): the token's embedding, as
      the training script of diffusers writes it.
    """

    root: PathText
    """Folder that contains the models' folders. Each has the name of its model."""
    objects: Annotated[list[Name], Distinct]
    """Models that were customized on an object. Results are separate for objects and styles."""
    styles: Annotated[list[Name], Distinct]
    """Models that were customized on a style."""
    first: Positive | None = added_field(None)
    """Only the first of the `objects` and the first of the `styles`, as many of each. If left out,
    all models are in the study. Another number runs everything again except for downloads, because
    the exemplars of a study's models are among its images."""
    published: PublishedBenchmark | None = added_field(None)
    """Where `dataset.source: published` comes from."""
    queries: Literal["generated", "given"]
    """`given`: pictures that the models generated elsewhere. `generated`: pictures that are made
    here, with `sampling`."""
    trained_on: Positive | None = None
    """N of eq. 5: the number of images that the base model was trained on. If left out, it is the
    number of images in the pool."""
    training: Customization | None = None
    """For models that are customized here. Leave it out where the models' folders contain the
    weights."""

    def kinds(self) -> dict[str, str]:
        """The kind of each model, `object` or `style`, in the configuration's order."""
        chosen = slice(self.first)
        return {
            **dict.fromkeys(self.objects[chosen], "object"),
            **dict.fromkeys(self.styles[chosen], "style"),
        }


class CustomizedDataset(Dataset):
    """The pool of images in COCO's folder and annotation format."""

    source: Literal["digits_custom", "folder", "published"]
    """`digits_custom` writes digits as a pool and as the folders of customized models. `folder`
    takes the files that are in `root` already. `published` fetches what `customized.published`
    names, and writes pool and folders from it; the pool is its first `images` pictures by name."""


class CustomizedExperiment(ExperimentWithMethods):
    """An experiment with `customized` retrains nothing. Sections not named here are as above."""

    kind: ClassVar[str] = "customized"
    prompts_have_tokens: ClassVar[bool] = True

    dataset: CustomizedDataset
    """The pool of images and their captions."""
    customized: Customized
    """Customized models in place of retraining."""

    def pool(self) -> tuple[str, ...]:
        """Those of all models, one model after another."""
        return self._of_models(super().pool())

    def tuning_queries(self) -> tuple[str, ...]:
        """Those of all models, one model after another."""
        return self._of_models(super().tuning_queries())

    def generates_queries(self) -> bool:
        """Whether they are not given as pictures."""
        return self.customized.queries == "generated"

    def _of_models(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{model}-{name}" for model in self.customized.kinds() for name in names)
