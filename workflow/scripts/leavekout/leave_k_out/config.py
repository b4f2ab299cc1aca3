"""The configuration of a leave-K-out experiment: what it has beyond `experiment.py`."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from leavekout.config.experiment import Dataset, Experiment, QuerySection, Topic, Training
from leavekout.config.fields import (
    Distinct,
    Name,
    PathText,
    Positive,
    Precision,
    Section,
    Seed,
    added_field,
)
from leavekout.methods.registry import with_families

if TYPE_CHECKING:
    ExperimentWithMethods = Experiment
else:
    ExperimentWithMethods = with_families(Experiment)


class Archive(Section):
    """A zip archive, fetched and unpacked in `root`. A broken download resumes where it was."""

    url: str
    """Address of the archive. A different address reruns nothing."""
    mirrors: list[str] = []
    """Addresses to try if `url` fails."""
    md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")]
    """MD5 checksum that the file must have."""


class CocoDataset(Dataset):
    """Images and captions in COCO's folder and annotation format."""

    source: Literal["digits", "letters", "archives", "folder"]
    """`digits` writes scikit-learn's digits in this format, `letters` draws 64 printed characters
    in 16 typefaces. `archives` fetches and unpacks the `archives`. `folder` takes the files that
    are in `root` already."""
    archives: list[Archive] = []
    """What `source: archives` fetches."""
    pictures: str | None = added_field(None)
    """Address of the folder of training images, where they are served one by one. Only those that
    the study has are fetched, in place of an archive of all; their captions come from `archives`.
    """
    subset_seed: Seed | None = added_field(None)
    """With a seed, the `images` are drawn by it from all that `train_annotations` lists. They keep
    their ids, and a larger number of images keeps those of a smaller one. Without it, all are
    taken."""
    prompt_annotations: PathText
    """Captions that queries are sampled from, relative to `root`. A caption that is also a training
    caption is left out."""


class DistinctQueries(QuerySection):
    """Numbers of queries, and what they show."""

    subjects: Annotated[list[Topic], Field(min_length=2), Distinct] | None = added_field(None)
    """What prompts name, as under `dataset.topics`. If given, each test query's prompt names a
    subject that no earlier test query's names, and so do tuning queries among themselves. Queries
    of the same subject resemble each other, and count as fewer
    ([clusters](../docs/statistics.md))."""


class KRange(Section):
    """Values of K from `start` up to and including at most `stop`."""

    start: Positive
    """First value of K."""
    stop: Positive
    """Largest possible value of K."""
    step: Positive
    """Distance between two values of K."""


class RandomSets(Section):
    """Removal sets that are drawn uniformly, shared by all queries and nested in K.

    They are removed at each K of the methods and at further values of K.
    """

    sets: Positive
    """Number of removal sets."""
    seed: Seed
    """Seed that draws the sets."""
    k: Annotated[list[Positive], Distinct]
    """Further values of K."""
    k_range: KRange | None = None
    """Further values of K at equal distances."""
    half_size_sets: Annotated[int, Field(ge=0)] = 0
    """Number of random sets of half of the images. Linear datamodeling scores are computed from
    these sets, too. Sets with a number below `sets` are shared with the random curve."""

    def sizes(self) -> list[int]:
        """All values of K named here, ascending, each once."""
        extra = self.k_range
        more = range(extra.start, extra.stop + 1, extra.step) if extra else ()
        return sorted({*self.k, *more})


class TopicSets(Section):
    """Removal sets that are drawn from the images on a query's topic, a stricter control.

    Each query has its own sets, which are removed at each of `k`. With `dataset.topics`,
    the images on a query's topic are those with a caption that names what the prompt names. If they
    are fewer than K, all of them are removed, and random images with them. Without
    `dataset.topics`, they are the `nearest` · K images whose captions are nearest to the prompt by
    CLIP's text features.
    """

    sets: Positive
    """Number of removal sets of each query."""
    nearest: Annotated[int, Field(ge=2)] = 5
    """From how many times K images a set is drawn, where `dataset.topics` names no topics."""
    seed: Seed
    """Seed that draws the sets."""


class Unions(Section):
    """The top K of several test queries removed together, one model for all of them.

    A model without these images is evaluated on the queries of the union, and on other test
    queries, which serve as controls. For each union of a method there is one of as many random
    sets. `tables/removals.csv` has the results.
    """

    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    """Methods whose unions are removed."""
    k: Positive
    """Number of images that are removed for each query of a union."""
    queries: Annotated[int, Field(ge=2)]
    """Queries of a union. Union number i has test queries i · `queries`, …"""
    others: Annotated[int, Field(ge=1)]
    """Other test queries on which the model is evaluated, those that follow."""
    sets: Positive = 1
    """Number of unions of each method."""


class Further(Section):
    """Further values of K of some methods."""

    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    """Methods that have them, if they are under test."""
    k: Annotated[list[Positive], Field(min_length=1), Distinct]
    """Further numbers of images that are removed."""


class Again(Section):
    """Some leave-K-out models trained again, from another seed.

    Beside the model of that seed that lacks nothing, each says how much of an effect is the
    retraining's own. `tables/seeds.csv` has the results.
    """

    seed: Seed
    """Seed of these trainings, one of `retrain_seeds`."""
    every: Annotated[int, Field(ge=1)]
    """Every so many of a method's queries are trained again, and at least one; the method's name
    says with which they start."""


class Counterfactual(Section):
    """Removals and retrainings."""

    k: Annotated[list[Positive], Field(min_length=1), Distinct]
    """Numbers of images that are removed for each method and query."""
    queries: Positive | None = added_field(None)
    """Number of test queries that models are trained for, the first of `queries.test`; all of them
    if left out. All test queries are generated at the start, and controls are evaluated on all. So
    a study can begin with a few queries, and a larger number later only adds to it."""
    looks: Annotated[list[Positive], Field(min_length=2, max_length=4)] | None = added_field(None)
    """For a study that grows: the numbers of queries at which its tests are looked at, the planned
    number last, as in `[10, 30, 110]`. To be fixed before the first look. Tests are then corrected
    for all looks together. If left out, they are valid for one look."""
    more: Further | None = None
    """If left out, all methods have the same K."""
    random: RandomSets
    """The random control."""
    topic: TopicSets | None = added_field(None)
    """The topic control. If left out, there is none."""
    retrain_seeds: Annotated[list[Seed], Distinct]
    """Seeds of retrainings that remove nothing. They give the noise floor."""
    keep_models: bool
    """Whether the weights of leave-K-out models are written beside their outcomes. Nothing in the
    workflow reads them."""
    union: Unions | None = None
    """Models without the top K of several queries at once. If left out, there are none."""
    again: Again | None = None
    """Leave-K-out models that are trained twice. If left out, there are none."""

    def ks_of(self, method: str) -> list[int]:
        """A method's values of K."""
        further = self.more.k if self.more and method in self.more.methods else []
        return [*self.k, *further]

    def all_ks(self) -> list[int]:
        """Every K of some method, ascending."""
        return sorted({*self.k, *(self.more.k if self.more else [])})


class Evaluation(Section):
    """How the losses on queries are computed, on which ΔL is based."""

    timestep_stride: Positive
    """A query's losses are computed at timesteps 0, stride, 2·stride, …"""
    seed: Seed
    """Seed of the noise of these losses, which is keyed to query and timestep."""
    precision: Precision = added_field("float32")
    """Precision of these losses, as under `training`, of all models alike."""


class Oracle(Section):
    """Groups of similar images, each left out of a model of its own.

    The training images are cut into such groups, and a model is trained without each. An image's
    score is the ΔL of the model without its group. `methods` can then name `oracle`. With K equal
    to the size of a group, `oracle` must come out best of all groups, by construction.
    """

    groups: Annotated[int, Field(ge=2)]
    """Number of groups."""

    def sizes(self, images: int) -> list[int]:
        """Sizes of the groups of N images, as equal as can be, the larger ones first."""
        return [images // self.groups + (i < images % self.groups) for i in range(self.groups)]


class Forgetting(Section):
    """The forgetting check: what else a model forgets with a query.

    The check evaluates unlearned models and leave-K-out models on the query, on `related` prompts
    and on the other queries. It writes `tables/forgetting.csv`. Leave-K-out models are evaluated on
    all of them when they are trained, so add this section before the study runs: added later, it
    trains the checked models again.
    """

    methods: Annotated[list[Name], Field(min_length=1), Distinct]
    """Unlearning variants whose unlearned models are checked."""
    k: Annotated[list[Positive], Distinct]
    """Values of K whose leave-K-out models are checked."""
    related: Positive
    """Number of related prompts, those nearest to the query in CLIP's text features."""
    seed: Seed
    """Seed of the noise of related prompts."""


class Joins(Section):
    """A published study that this one joins.

    Its source model, queries, scores and models are taken from its bundle; only methods that it
    does not have are scored and retrained. `make join` writes such a configuration
    ([how to join a study](../docs/joining.md)).
    """

    bundle: PathText
    """Folder of the study's bundle."""
    url: str | None = None
    """Address of the bundle as a zip archive. If the folder is not there, it is fetched from here
    when the configuration is read."""
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    """Checksum of that archive."""
    continues: bool = False
    """Whether the bundle is an earlier part of this very study, so that a long one can be made in
    parts: its models are this study's own, which may add to `counterfactual`, too, and no method
    stands apart as joined. The parts should be made by one commit on machines of one kind, since no
    model is trained that would show how far they are apart."""

    @model_validator(mode="after")
    def _with_checksum(self) -> Self:
        if (self.url is None) != (self.md5 is None):
            raise PydanticCustomError("together", "needs 'url' and 'md5' together, or neither")
        return self


class LeaveKOut(ExperimentWithMethods):
    """A leave-K-out experiment."""

    kind: ClassVar[str] = "leave_k_out"

    dataset: CocoDataset
    """Training images and their captions."""
    training: Training
    """Training of the source model and of every leave-K-out model."""
    queries: DistinctQueries
    """The generated pictures that are attributed."""
    measures: Annotated[list[Name], Field(min_length=1, max_length=6), Distinct] = [
        "delta_loss",
        "mse",
        "clip",
    ]
    """The measures of what was lost.

    `delta_loss`, `delta_log_loss`, `mse`, `clip`, `ssim`, `dino`, and any other file in
    `workflow/scripts/leavekout/leave_k_out/measures/`. Methods are ranked by the first. A measure
    that is added to a finished study is computed from the outcomes there are; nothing is trained or
    scored again.
    """
    counterfactual: Counterfactual
    """Which leave-K-out models are trained."""
    evaluation: Evaluation
    """The measure ΔL."""
    oracle: Oracle | None = None
    """The positive control."""
    forgetting: Forgetting | None = None
    """The check that little else is forgotten."""
    joins: Joins | None = None
    """The published study that this one joins. If left out, it stands for itself."""

    def test_queries(self) -> tuple[str, ...]:
        """Those that models are trained for."""
        return self.pool()[: self.counterfactual.queries]

    @model_validator(mode="before")
    @classmethod
    def _with_groups(cls, values: Any) -> Any:
        """An oracle that is named and has no section has groups of the largest K."""
        try:
            if "oracle" in values["methods"] and values.get("oracle") is None:
                groups = round(values["dataset"]["images"] / max(values["counterfactual"]["k"]))
                return {**values, "oracle": {"groups": max(2, groups)}}
        except (LookupError, TypeError):
            pass  # what is missing or malformed is refused in the next step, with a sentence
        return values
