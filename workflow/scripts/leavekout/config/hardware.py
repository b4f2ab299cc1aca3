"""The sections on hardware, which affect speed alone."""

from typing import Annotated

from pydantic import Field

from leavekout.config.fields import Positive, PositiveFloat, Section


class Rates(Section):
    """Estimates of speed, used until some jobs have run.

    Cluster jobs request time and memory by them, and `make plan` computes the cost.
    """

    parameters: Positive
    """Weights of the denoiser."""
    training_per_second: PositiveFloat
    """Samples per second of a training: forward pass, backward pass and update."""
    forward_per_second: PositiveFloat
    """Samples per second of a sweep's forward pass."""
    gradients_per_second: PositiveFloat
    """Per-sample gradients per second."""
    encoding_per_second: PositiveFloat
    """Images or captions per second that are read or encoded."""
    start_seconds: PositiveFloat = 30
    """Start of every job: Snakemake on the node, and the imports of libraries."""
    loading_gb_per_second: PositiveFloat = 1.0
    """Gigabytes per second at which a training reads the encoded data at its start."""
    compile_seconds: PositiveFloat = 120
    """Compilation at the start of a training, where `compile` is set."""


class Hardware(Section):
    """Settings that affect speed alone. A changed value reruns nothing.

    **Several jobs on one GPU** can be useful if one alone does not fill it: `jobs_per_gpu` on a
    workstation. On a cluster that shares GPUs in shards, add `set-resources: { retrain: { gpu: 0,
    gres: "shard:1" } }` to the profile. Whether this is faster was not measured.
    """

    gpus: Annotated[int, Field(ge=0, le=1)]
    """GPUs that a computing job requests. With 0 it runs on the CPU."""
    jobs_per_gpu: Positive = 1
    """On a machine with several GPUs and no scheduler, each job takes a GPU with fewer jobs than
    this, or waits for one ([how](../docs/workstation.md))."""
    pretend: bool = False
    """For trials on a cluster without GPUs: jobs request GPUs and compute on the CPU. Otherwise a
    job that requests a GPU and finds none stops."""
    training_threads: Positive
    """CPU threads of a training. On a CPU they change the last bits of a result, because sums are
    split differently. Keep the number through a study."""
    compile: bool = False
    """Whether trainings compile the denoiser with `torch.compile`. On a GPU it is replayed as CUDA
    graphs. Compiling takes a minute or two at the start and needs a C compiler. It changes the last
    bits of a result. Keep the value through a study."""
    forward_batch: Positive
    """Samples of a forward pass in sweeps and evaluation."""
    encode_batch: Positive
    """Images or captions that are encoded at once."""
    gradient_batch: Positive
    """Draws of a query's gradient that are computed at once."""
    per_sample_batch: Positive
    """Samples whose per-sample gradients are held at once."""
    device_data_gb: Annotated[int, Field(ge=0)]
    """What trainings and curvatures keep of the encoded data in a GPU's memory, up to this size in
    GB. The rest is streamed from the node's page cache, after one read from start to end. Other
    jobs read the data in order and keep nothing. `ekfac` and the like keep directions of queries up
    to this size, and make another pass over the images for further queries. At most 70 % of the
    memory: 95 on a GPU with 141 GB, 56 on one with 80, 28 on one with 40."""
    jobs_per_node: Positive = 1
    """Jobs that stream data on a node at the same time. They share its page cache, so each requests
    this part of the memory for it. With fewer at a time, part of the data is read again from disk
    where jobs are held to the memory that they request."""
    stage_to: str = ""
    """A folder on the node's own disk that its jobs share, such as `/scratch/$USER`, to which
    latents and text states are copied first, for file systems that are slow to read. One job of a
    node copies, and the copy stays until you or the cluster delete it. `$TMPDIR` is often a job's
    own: then every job copies."""
    checkpoint_seconds: Positive
    """Seconds between saved states. Trainings, encodings, sweeps, gradients of all images and
    curvatures resume from them after a kill."""
    resume_on_any_gpu: bool = False
    """Whether a training may resume on another model of GPU than it began on. This changes its last
    digits; otherwise the job stops and says so."""
    longest_minutes: Positive = 2880
    """Longest time in minutes that the cluster lets a job request, 48 hours by default. No job
    requests more. Jobs that may need more (trainings, encodings, sweeps, gradients of all images,
    curvatures) stop at the cluster's warning and resume in a retry."""
    most_memory_gb: Positive | None = None
    """Most memory in GB that a job requests, such as that of a node. Jobs that do not resume
    request more at each retry. Without it there is no limit."""
    estimates: Rates
    """Estimates for planning."""
