"""The typed configuration of an experiment: one class for each section of `config/*.yaml`.

Encoders stand in `schema_encoders.py`, attribution methods in `schema_methods.py`.

`config/schema.json` is generated from these classes (`python -m leavekout.experiment`),
and `config/README.md` explains every key. Unknown keys are refused.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from leavekout.config.encoders import FetchedEncoders, Published, TrainedEncoders
from leavekout.config.fields import (
    Distinct,
    Fraction,
    Name,
    Positive,
    PositiveFloat,
    Precision,
    Section,
    Seed,
)
from leavekout.config.methods import (
    Customized,
    Embedding,
    Forgetting,
    Gradients,
    Influence,
    Oracle,
    Unlearning,
)


class Archive(Section):
    """A zip archive to fetch and unpack below `dataset.root`."""

    url: str
    mirrors: list[str] = []
    md5: str


class Dataset(Section):
    """Images and captions in COCO's folder and annotation format."""

    source: Literal["digits", "digits_custom", "archives", "folder"]
    root: str
    archives: list[Archive] = []
    train_images: str
    train_annotations: str
    prompt_annotations: str | None = None
    images: Positive
    image_size: Positive
    captions: Positive
    flips: bool


class NoiseSchedule(Section):
    """The forward process of DDPM."""

    timesteps: Positive
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"]
    beta_start: PositiveFloat
    beta_end: PositiveFloat


class Model(Section):
    """The diffusion model: `unet` goes to `diffusers.UNet2DConditionModel` as it stands."""

    unet: dict[str, object]
    noise_schedule: NoiseSchedule


class Training(Section):
    """How the source model and every leave-K-out model are trained."""

    seed: Seed
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    learning_rate_schedule: Literal["constant", "cosine"]
    warmup_steps: Annotated[int, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    gradient_clip: PositiveFloat | None
    caption_dropout: Fraction
    precision: Precision
    when_removing: Literal["keep_steps", "keep_epochs"]

    def steps(self, images: int, removed: int) -> int:
        """Optimizer steps of one training without `removed` of `images`.

        `keep_steps`: as many as without removal, so that models differ in their data alone.
        `keep_epochs` (the paper): every kept image is shown `epochs` times on average, so fewer
        steps as K grows.
        """
        shown = images - removed if self.when_removing == "keep_epochs" else images
        return max(1, self.epochs * shown // self.batch_size)


class Sampling(Section):
    """How pictures are generated."""

    sampler: Literal["ddpm", "ddim"]
    steps: Positive
    guidance: Annotated[float, Field(ge=0)]
    clip_x0: PositiveFloat | None


class Queries(Section):
    """The generated pictures that are attributed."""

    test: Positive
    tuning: Annotated[int, Field(ge=0)]
    seed: Seed


class Fisher(Section):
    """The diagonal Fisher estimate."""

    samples: Positive
    seed: Seed
    precision: Precision = "float32"


class LossSweep(Section):
    """The losses over all training images behind eq. 6."""

    timestep_stride: Positive
    captions: Positive
    seed: Seed
    precision: Precision = "float32"


class KRange(Section):
    """Values of K from `start` up to and including at most `stop`."""

    start: Positive
    stop: Positive
    step: Positive


class RandomSets(Section):
    """The random control: nested uniform sets, shared by all queries."""

    sets: Positive
    seed: Seed
    k: Annotated[list[Positive], Distinct]
    k_range: KRange | None = None
    half_size_sets: Annotated[int, Field(ge=0)] = 0

    def sizes(self) -> list[int]:
        """All values of K named here, ascending, each once."""
        sweep = self.k_range
        more = range(sweep.start, sweep.stop + 1, sweep.step) if sweep else ()
        return sorted({*self.k, *more})


class Counterfactual(Section):
    """Which leave-K-out models are trained."""

    k: Annotated[list[Positive], Field(min_length=1), Distinct]
    random: RandomSets
    retrain_seeds: Annotated[list[Seed], Distinct]
    keep_models: bool


class Tuning(Section):
    """Variants compared on the tuning queries, which no reported number uses."""

    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    k: Annotated[list[Positive], Distinct]


class Evaluation(Section):
    """The measures ΔL, MSE and CLIP."""

    timestep_stride: Positive
    seed: Seed


class Report(Section):
    """What the figures and the report show."""

    top_images: Positive
    bootstrap_resamples: Positive
    gallery_queries: Positive = 12
    published_numbers: bool = False


class Estimates(Section):
    """What a job is expected to take, until jobs have run."""

    parameters: Positive
    training_per_second: PositiveFloat
    forward_per_second: PositiveFloat
    gradients_per_second: PositiveFloat
    encoding_per_second: PositiveFloat


class Hardware(Section):
    """Speed only: none of these values is seen by Snakemake's triggers."""

    gpus: Annotated[int, Field(ge=0, le=1)]
    training_threads: Positive
    compile: bool = False
    forward_batch: Positive
    encode_batch: Positive
    gradient_batch: Positive
    per_sample_batch: Positive
    device_data_gb: Annotated[int, Field(ge=0)]
    checkpoint_seconds: Positive
    longest_minutes: Positive | None = None
    estimates: Estimates


class Experiment(Section):
    """A whole experiment."""

    experiment: Name
    dataset: Dataset
    encoders: Annotated[TrainedEncoders | FetchedEncoders, Field(discriminator="source")]
    published: Published = Published()
    model: Model
    training: Training | None = None
    sampling: Sampling
    queries: Queries
    fisher: Fisher
    losses: LossSweep
    unlearning: dict[Name, Unlearning] = {}
    embeddings: dict[Name, Embedding] = {}
    gradients: dict[Name, Gradients] = {}
    influence: dict[Name, Influence] = {}
    external: dict[Name, str] = {}
    extra_rules: list[str] = []
    extra: dict[str, Any] = {}
    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    counterfactual: Counterfactual | None = None
    customized: Customized | None = None
    tuning: Tuning | None = None
    forgetting: Forgetting | None = None
    oracle: Oracle | None = None
    evaluation: Evaluation | None = None
    report: Report
    hardware: Hardware
