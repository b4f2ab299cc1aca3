"""The typed configuration of an experiment: one class for each section of `config/*.yaml`.

Sections on encoders are in `encoders.py`, those on published files in `published.py`; each family
of methods has its own in `methods/`. The docstring below a field explains its key, and
`document.py` makes `config/README.md` from them.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from leavekout.config.encoders import FetchedEncoders, TrainedEncoders
from leavekout.config.fields import (
    Colour,
    Distinct,
    Fraction,
    Name,
    PathText,
    Positive,
    PositiveFloat,
    Precision,
    Section,
    Seed,
    added_field,
)
from leavekout.config.hardware import Hardware
from leavekout.config.model import Model
from leavekout.config.published import Published

# Phrases with `|` between, none of them empty.
Topic = Annotated[str, Field(pattern=r"^[^|\s][^|]*(\|[^|\s][^|]*)*$")]


class Dataset(Section):
    """Images and captions in COCO's folder and annotation format."""

    root: PathText
    """Folder of the raw data. Several experiments may share it."""
    train_images: PathText
    """Folder of the training images, relative to `root`."""
    train_annotations: PathText
    """Captions of the training images (COCO's `captions_*.json`), relative to `root`."""
    prompt_annotations: PathText | None = None
    """Captions that queries are sampled from, relative to `root`. A caption that is also a training
    caption is left out. `null` where queries have prompts of their own."""
    images: Positive
    """N, the number of training images. It lets a K that is too large be refused before images are
    read, and is checked when they are read."""
    image_size: Positive
    """Pixels of an image's side after a centre crop."""
    captions: Positive
    """Captions used of each image, the first by annotation id."""
    background: Colour = "white"
    """Colour behind transparent parts of images, as a name or as `#rrggbb`."""
    flips: bool
    """Whether training mirrors half of the images. If so, every method scores an image and its
    mirror image and keeps the maximum."""
    topics: Annotated[list[Topic], Field(min_length=2), Distinct] | None = added_field(None)
    """What captions name, such as ten digits: a word or phrase for each topic, or several with `|`
    between, as in `seven|7`. Test queries whose prompts name the same topics count as one cluster;
    without topics, each counts for itself. `counterfactual.topic` removes images on the topic."""


class Training(Section):
    """All models are trained with AdamW, without EMA.

    An experiment that retrains nothing and has a `published.source_model` needs no such section.
    """

    seed: Seed
    """Seed of the initial weights and of the stream of images, timesteps and noise. All retrainings
    share it except those of `retrain_seeds`."""
    epochs: Positive
    """Epochs of a training without removal."""
    batch_size: Positive
    """Images of a batch."""
    learning_rate: PositiveFloat
    """Learning rate after the warm-up."""
    learning_rate_schedule: Literal["constant", "cosine"]
    """Learning rate after the warm-up: `constant`, or falling to zero along a `cosine`."""
    warmup_steps: Annotated[int, Field(ge=0)]
    """Steps in which the learning rate rises linearly."""
    weight_decay: Annotated[float, Field(ge=0)]
    """Weight decay of AdamW."""
    gradient_clip: PositiveFloat | None
    """Largest norm of the gradient, or `null` for no limit."""
    caption_dropout: Fraction
    """Share of samples that are shown without caption, for classifier-free guidance."""
    precision: Precision
    """`tf32` computes as `float32` does, but matrix products in TF32, on GPUs that have it.
    `bfloat16` is autocast: weights and optimizer stay in float32."""
    when_removing: Literal["keep_steps", "keep_epochs"]
    """`keep_steps`: leave-K-out models train for as many steps as the source model. `keep_epochs`
    (the paper's): every kept image is seen `epochs` times on average, so there are fewer steps as K
    grows. This matters at the far end of the random curve."""

    def steps(self, images: int, removed: int) -> int:
        """Optimizer steps of one training without `removed` of `images`; see `when_removing`."""
        shown = images - removed if self.when_removing == "keep_epochs" else images
        return max(1, self.epochs * shown // self.batch_size)


class Sampling(Section):
    """The sampler that all models use."""

    sampler: Literal["ddpm", "ddim", "euler"]
    """`ddpm`, or `ddim`, which adds no noise, for a `noise_schedule`. `euler` for
    `flow_matching`."""
    steps: Positive
    """Steps of the sampler."""
    guidance: Annotated[float, Field(ge=0)]
    """Scale of classifier-free guidance; 1 means none."""
    clip_x0: PositiveFloat | None
    """Predicted clean latents are clamped to ± this value; `null` for no clamp."""
    precision: Precision = added_field("float32")
    """Precision of the predictions of all models, as under `training`."""


class QuerySection(Section):
    """Numbers of queries."""

    test: Positive
    """Number of queries that the results are about: `q000`, `q001`, … A leave-K-out study may
    begin with the first of them (`counterfactual.queries`)."""
    tuning: Annotated[int, Field(ge=0)]
    """Number of further queries, `t000`, …, that only choose hyperparameters."""
    teacher: Annotated[int, Field(ge=0)] = added_field(0)
    """Number of further queries, `d000`, …, that `distilled` features learn from."""
    seed: Seed
    """Seed that draws prompts (without replacement) and noise seeds."""


class Fisher(Section):
    """The estimate of the diagonal Fisher information: an average over per-sample gradients."""

    samples: Positive
    """Number of per-sample gradients that are averaged. Images come in shuffled epochs, each with
    one timestep and one noise."""
    seed: Seed
    """Seed of these draws."""
    precision: Precision = "float32"
    """Precision, as under `training`. It is also the precision of EK-FAC."""


class Refinement(Section):
    """A second sweep with more draws, of the images with the best scores of the first."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the training images that are swept again. It must cover K images; 2K is safer."""
    draws: Positive
    """Draws of noise for each caption and timestep, beyond those of the first sweep. These images
    are scored by the new draws alone, so that the selection does not bias them."""


class LossSweep(Section):
    """The losses over all training images, before and after unlearning (eq. 6).

    A score is the difference of the two.
    """

    timestep_stride: Positive
    """The losses are computed at timesteps 0, stride, 2·stride, …"""
    captions: Positive
    """Captions of each image that are averaged over, at most `dataset.captions`."""
    draws: Positive = added_field(1)
    """Draws of noise for each caption and timestep. How well scores repeat depends on captions ×
    timesteps × draws ([measured](../docs/repeatability.md))."""
    timesteps: Literal["strided", "stratified"] = added_field("strided")
    """`strided`: 0, stride, 2·stride, …, as the paper does. `stratified`: a random timestep of each
    stride, another for each image, flip, caption and draw."""
    antithetic: bool = added_field(False)
    """Whether every second draw is the negative of the noise before it. `draws` must then be
    even."""
    refine: Refinement | None = added_field(None)
    """If left out, there is no refinement. The source model's losses with these draws are computed
    once, for all images."""
    seed: Seed
    """Seed of the noise, which is keyed to image, flip, caption, timestep and draw."""
    precision: Precision = "float32"
    """Precision, as under `training`. The sweeps before and after unlearning share it, because a
    score is their difference ([effect of each precision on the
    ranking](../docs/performance.md#which-precision-a-sweep-may-have))."""


class Tuning(Section):
    """Methods are compared on the tuning queries, which no reported number uses.

    `snakemake --cores all tuning` removes the images that each setting of each method selects,
    retrains, and writes `tables/tuning.csv`. There the setting of each method with the largest mean
    excess over random is marked as chosen. A study reports the entries of the methods themselves,
    so write the chosen setting there.
    """

    methods: Annotated[list[Name], Distinct] = []
    """Methods that are compared as they are."""
    settings: dict[Name, Annotated[list[dict[str, Any]], Field(min_length=1)]] = {}
    """By method, settings to choose from: each is the method's entry with some keys changed, for
    example `unlearning: [{ step_size: 0.02 }, { step_size: 0.05 }]`. All methods must have the same
    number, so that none is tuned more than another. Setting i of a method is the method
    `<name>-ti`."""
    criterion: Name = added_field("delta_loss")
    """The measure by which settings are chosen."""
    k: Annotated[list[Positive], Distinct]
    """Numbers of images that are removed for each query; `[]` if nothing is removed."""
    together: bool = False
    """Whether each setting trains one model without the top K of all tuning queries, in place of
    one model for each query. The control is unions of as many random sets. This divides the cost by
    the number of tuning queries. But each setting is then judged by a single training, the
    intervals of `tuning.csv` are over queries alone, and a setting that selects different images
    for each query removes more in total (`removed`)."""


class Report(Section):
    """Settings of the figures and of the report."""

    top_images: Positive
    """Attributed images shown for each query and method."""
    bootstrap_resamples: Positive
    """Resamples of queries and models behind the intervals of random equivalents and linear
    datamodeling scores."""
    gallery_queries: Positive = 200
    """Queries whose pictures are in the report; more than 30 MB of pictures are in the folder
    `report/` beside it."""
    published_numbers: bool = False
    """Whether the report shows the papers' numbers beside ours. They are for COCO."""


class Experiment(Section):
    """The sections that all kinds of experiment have.

    The first paragraph below each key is its heading in the README.
    """

    kind: ClassVar[str]  # the folder of the kind's rules
    prompts_have_tokens: ClassVar[bool] = False  # whether prompts hold a customized model's V*

    experiment: Name
    """Name of the experiment.

    Results go to `results/<experiment>/`.
    """
    dataset: Dataset
    """Training images and their captions."""
    encoders: Annotated[TrainedEncoders | FetchedEncoders, Field(discriminator="source")]
    """The frozen VAE, text encoder and CLIP.

    `source` selects one of two kinds of section.
    """
    published: Published = Published()
    """Published artifacts in place of ours."""
    model: Model
    """The generative model."""
    training: Training | None = None
    """Training of the source model and of every leave-K-out model."""
    sampling: Sampling
    """How pictures are generated."""
    queries: QuerySection
    """The generated pictures that are attributed."""
    fisher: Fisher
    """The diagonal Fisher information at the source model."""
    losses: LossSweep
    """The sweep over all training images behind attribution by unlearning."""
    extra_rules: list[PathText] = []
    """Further rule files, from outside the repository.

    See [how to add a baseline](../docs/adding-a-baseline.md).
    """
    extra: dict[str, Any] = {}
    """Your own settings for added baselines.

    Rules and scripts read them as `config["extra"]`
    ([how to add a baseline](../docs/adding-a-baseline.md)).
    """
    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    """Names of the methods under test.

    Each is a method that a family knows by name ([the methods](../docs/methods.md)), an entry of a
    family's section, `oracle`, or a method with a rule file in `workflow/rules/attribution/` or
    among `extra_rules`. The random control is always included.
    """
    without: Annotated[list[Name], Distinct] = added_field([])
    """Methods that are left out of all lists that name methods.

    For methods whose files are not to be had: `--config 'without=[clip-abc, dino-abc]'`.
    """
    tuning: Tuning | None = None
    """Hyperparameters compared on queries of their own."""
    report: Report
    """What the figures and the report show."""
    hardware: Hardware
    """Speed alone."""

    def pool(self) -> tuple[str, ...]:
        """The names of all test queries that are generated. Kinds may override it."""
        return numbered("q", self.queries.test)

    def test_queries(self) -> tuple[str, ...]:
        """The names of those that the results are about. Kinds may override it."""
        return self.pool()

    def tuning_queries(self) -> tuple[str, ...]:
        """The names of the queries that only choose hyperparameters."""
        return numbered("t", self.queries.tuning)

    def generates_queries(self) -> bool:
        """Whether the queries are generated here, so that the sampler's way to them is known."""
        return True

    def query_names(self) -> tuple[str, ...]:
        """The names of all queries, test queries first."""
        return (*self.pool(), *self.tuning_queries())


def numbered(letter: str, count: int) -> tuple[str, ...]:
    """The names of some queries: `q000`, `q001`, …"""
    return tuple(f"{letter}{i:03d}" for i in range(count))
