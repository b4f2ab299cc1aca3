"""The expected cost of each stage, from the experiment's sizes and `hardware.estimates`.

Cluster jobs request memory and time by these figures, small jobs are batched by them, and the plan
uses them until jobs of a kind have run. No result depends on them.

Megabytes are 10⁶ bytes, as in Snakemake's resources.
"""

import math
from dataclasses import dataclass, replace

from leavekout.config.experiment import Experiment
from leavekout.models.geometry import geometry_of

_STEP_SECONDS = 0.05  # least time of a sampler's step, however few the pictures
_SHORT_SECONDS = 600  # shorter jobs share cluster jobs
FLOAT_MB, _HALF_MB = 4e-6, 2e-6
_TOKENS = 77  # of fetched CLIP text encoders
FEATURES = 1024  # width of the widest features that we know


@dataclass(frozen=True)
class Cost:
    """The expected cost of one job.

    Args:
        seconds: computing time, at the rates of `hardware.estimates`.
        memory_mb: host memory.
        disk_mb: size of its output.
        resumes: whether a retry resumes from where the last attempt stopped.
    """

    seconds: float
    memory_mb: float
    disk_mb: float = 0.0
    resumes: bool = False

    @property
    def short(self) -> bool:
        """Whether such jobs should share cluster jobs."""
        return self.seconds < _SHORT_SECONDS

    def minutes(self, attempt: int, longest: float = math.inf) -> int:
        """Time to request: twice the expectation and a margin, up to `longest` minutes."""
        return int(min(longest, math.ceil(self._share(attempt) * (3 + 2 * self.seconds / 60))))

    def megabytes(self, attempt: int, most: float = math.inf) -> int:
        """Host memory to request, up to `most` megabytes."""
        return int(min(most, math.ceil(self._share(attempt) * self.memory_mb)))

    def _share(self, attempt: int) -> int:
        """Each retry requests as much again, unless it resumes from the last attempt.

        A job that resumes is expected to be interrupted, mostly by its time limit.
        """
        return 1 if self.resumes else attempt


class Costs:
    """The costs of an experiment's jobs, one method for each kind of work."""

    def __init__(self, experiment: Experiment) -> None:
        self.e = experiment
        self.rates = experiment.hardware.estimates
        data = experiment.dataset
        self.images, self.captions = data.images, data.captions
        self.flips = 2 if data.flips else 1
        geometry = geometry_of(experiment.model)
        width, side = geometry.text_width or 0, geometry.side
        clip = getattr(experiment.encoders, "clip", None)
        tokens = getattr(clip, "context_length", _TOKENS)
        self.pixels_mb = 1e-6 * data.images * data.image_size**2 * 3
        self.latents_mb = _HALF_MB * data.images * self.flips * geometry.in_channels * side**2
        self.text_mb = _HALF_MB * data.images * data.captions * tokens * width
        self.weights_mb = FLOAT_MB * self.rates.parameters
        on_gpu = experiment.hardware.gpus > 0
        self.base_mb = 8000.0 if on_gpu else 2500.0
        # Trainings and curvatures need the data in random order: what a GPU does not keep, they
        # stream from the page cache, which the node's jobs share. Other jobs read it in order.
        encoded = self.latents_mb + self.text_mb
        kept = min(encoded, 1000 * experiment.hardware.device_data_gb) if on_gpu else 0
        self.data_mb = (encoded - kept) / experiment.hardware.jobs_per_node
        self.on_gpu = on_gpu
        self.queries = len(experiment.query_names())
        self.loading = encoded / 1000 / self.rates.loading_gb_per_second if on_gpu else 0.0

    def cost(
        self,
        *,
        training: float = 0,
        forward: float = 0,
        gradients: float = 0,
        encoding: float = 0,
        further_seconds: float = 0,
        memory_mb: float = 0,
        disk_mb: float = 0,
        resumes: bool = False,
    ) -> Cost:
        """A job's cost from its numbers of samples."""
        seconds = (
            self.rates.start_seconds
            + training / self.rates.training_per_second
            + forward / self.rates.forward_per_second
            + gradients / self.rates.gradients_per_second
            + encoding / self.rates.encoding_per_second
            + further_seconds
        )
        return Cost(seconds, self.base_mb + memory_mb, disk_mb, resumes)

    def small(self) -> bool:
        """Whether the study's typical job is short: a training, or a sweep where none is needed."""
        return self.training().short if self.e.training else self.sweep().short

    def training(self, removed: int = 0) -> Cost:
        """Of the source model or a leave-K-out model."""
        config = self.e.training
        if config is None:  # the source model is published
            return self.cost()
        samples = config.steps(self.images, removed) * config.batch_size
        return self.cost(
            training=samples,
            further_seconds=self.loading
            + (self.rates.compile_seconds if self.e.hardware.compile else 0),
            memory_mb=self.data_mb + 8 * self.weights_mb,
            disk_mb=self.weights_mb,
            resumes=True,
        )

    def encoder_training(self, epochs: int) -> Cost:
        """Of a small encoder on the training images."""
        return self.cost(training=epochs * self.images, memory_mb=2 * self.pixels_mb, disk_mb=10)

    def raw_data(self) -> Cost:
        """Of the archives and their contents; an image of COCO takes 0.165 MB."""
        return Cost(0, 1000, 2 * 0.165 * self.images)

    def fetched_encoder(self) -> Cost:
        """Of downloading an encoder and reading it; 3.5 GB is the largest that we know."""
        return Cost(0, 5000, 3500)

    def fetched_file(self, size: int | None) -> Cost:
        """Of downloading and unpacking a published file, whose bytes may not be known."""
        return Cost(0, 5000, 2e-6 * (size or 0))

    def preparation(self) -> Cost:
        """Of a pass over the images' pixels."""
        return self.cost(encoding=self.images, memory_mb=2000, disk_mb=self.pixels_mb)

    def latents(self) -> Cost:
        """Of encoding images and flips."""
        return self.cost(encoding=self.images * self.flips, disk_mb=self.latents_mb, resumes=True)

    def text(self) -> Cost:
        """Of encoding captions."""
        return self.cost(encoding=self.images * self.captions, disk_mb=self.text_mb, resumes=True)

    def features(self) -> Cost:
        """Of an encoder's features of images and flips, or of captions."""
        each = max(self.flips, self.captions)
        disk = FLOAT_MB * self.images * each * FEATURES
        return self.cost(encoding=self.images * each, disk_mb=disk, resumes=True)

    def similarity(self, queries: int) -> Cost:
        """Of scoring all images for `queries` queries by existing features."""
        pixels_mb = 16e-6 * queries * self.e.dataset.image_size**2 * 3  # two float64 copies
        return self.cost(
            encoding=self.images, memory_mb=4000 + pixels_mb, disk_mb=queries * self.scores_mb()
        )

    def sampling(self, pictures: int) -> Cost:
        """Of generating pictures with guidance, two forward passes a step."""
        steps = self.e.sampling.steps
        cost = self.cost(forward=2 * pictures * steps, encoding=pictures, memory_mb=2000)
        return replace(
            cost, seconds=max(cost.seconds, self.rates.start_seconds + _STEP_SECONDS * steps)
        )

    def decoding(self, pictures: int) -> Cost:
        """Of turning latents into pictures, or back."""
        return self.cost(encoding=pictures, memory_mb=2000)

    def fisher(self) -> Cost:
        """Of the Fisher information's diagonal."""
        return self.cost(
            gradients=self.e.fisher.samples,
            further_seconds=self.loading,
            memory_mb=self.data_mb + 4 * self.weights_mb,
            disk_mb=self.weights_mb,
            resumes=True,
        )

    def ekfac(self) -> Cost:
        """Of EK-FAC's factors, which need two passes."""
        return replace(self.fisher(), seconds=2 * self.fisher().seconds)

    def sweep(self, *, refined: bool = False) -> Cost:
        """Of the losses of all images (eq. 6), with the draws of the first sweep or refinement."""
        passes = self.passes(refined=refined)
        return self.cost(
            forward=self.images * self.flips * passes,
            memory_mb=self.weights_mb,
            disk_mb=self.flips * passes * self.scores_mb(),
            resumes=True,
        )

    def passes(self, *, refined: bool) -> int:
        """Forward passes of a sweep for each image and flip."""
        losses = self.e.losses
        draws = (losses.refine.draws if losses.refine else 0) if refined else losses.draws
        return losses.captions * self.timesteps(losses.timestep_stride) * draws

    def state_mb(self) -> float:
        """A training's saved state: weights and AdamW's two moments."""
        return 3 * self.weights_mb

    def timesteps(self, stride: int) -> int:
        """The number of timesteps with a stride."""
        return math.ceil(self.e.model.process.timesteps / stride)

    def scores_mb(self) -> float:
        """Of one query's scores."""
        return FLOAT_MB * self.images
