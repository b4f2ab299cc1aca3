"""The configuration of an experiment on customized models: what it has beyond `experiment.py`."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from leavekout.config.experiment import Dataset, Experiment
from leavekout.config.fields import Distinct, Name, Positive, PositiveFloat, Section, Seed
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


class Customized(Section):
    """The Customized Model benchmark: exemplars have to be found again in a pool of images.

    Models that are customized on a few exemplars generate queries, and methods have to find the
    exemplars among the images of `dataset`, the pool ([what is measured](../docs/customized.md)).
    Such an experiment retrains nothing. `queries.test` and `queries.tuning` are numbers for each
    model, and names of queries begin with the model's name: `slanted-q000`. `dataset.source` is
    `folder`, or `digits_custom`, which writes digits as a pool and as the folders of models.

    Each model has a folder with the following files. Captions and prompts contain `V*` in the place
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

    root: str
    """Folder that contains the models' folders. Each has the name of its model."""
    objects: Annotated[list[Name], Distinct]
    """Models that were customized on an object. Results are separate for objects and styles."""
    styles: Annotated[list[Name], Distinct]
    """Models that were customized on a style."""
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
        return {**dict.fromkeys(self.objects, "object"), **dict.fromkeys(self.styles, "style")}


class CustomizedDataset(Dataset):
    """The pool of images in COCO's folder and annotation format."""

    source: Literal["digits_custom", "folder"]
    """`digits_custom` writes digits as a pool and as the folders of customized models. `folder`
    takes the files that are in `root` already."""


class CustomizedExperiment(ExperimentWithMethods):
    """An experiment with `customized` retrains nothing. Sections not named here are as above."""

    kind: ClassVar[str] = "customized"
    prompts_have_tokens: ClassVar[bool] = True

    dataset: CustomizedDataset
    """The pool of images and their captions."""
    customized: Customized
    """Customized models in place of retraining."""

    def test_queries(self) -> tuple[str, ...]:
        """Those of all models, one model after another."""
        return self._of_models(super().test_queries())

    def tuning_queries(self) -> tuple[str, ...]:
        """Those of all models, one model after another."""
        return self._of_models(super().tuning_queries())

    def generates_queries(self) -> bool:
        """Whether they are not given as pictures."""
        return self.customized.queries == "generated"

    def _of_models(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{model}-{name}" for model in self.customized.kinds() for name in names)
