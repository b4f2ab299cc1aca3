"""The typed configuration of the attribution methods, and of what is said about them."""

from typing import Annotated, Literal

from pydantic import Field

from leavekout.config.fields import (
    Box,
    Distinct,
    Fraction,
    GradientObjective,
    Name,
    Objective,
    Positive,
    PositiveFloat,
    Precision,
    QueryName,
    Section,
    Seed,
    WeightSubset,
    later,
)

# How losses before and after unlearning become a score; see `attribution.readout`.
Readout = Literal["difference", "skew"]
SKEW_FROM = 0.3  # of the timesteps; the skew is read at the noisier rest


class Unlearning(Section):
    """A variant of attribution by unlearning. It is a method, named by its key.

    **Fisher entries near zero** belong to weights that the training data hardly uses. Without
    damping, eq. 5 moves these weights without bound, because the query's gradient falls only with
    the square root of its own square. With `damping`, no entry is divided by less than λ times the
    mean entry. The damping is relative, so a λ means the same for models of any size. `damping: 0`
    is the published code's division. It is refused if an entry is exactly zero.
    """

    weights: WeightSubset
    """The weights that are unlearned. `feed_forward`: the weights of the blocks' perceptrons and of
    the text's own embedding, without biases (MUCS); a U-Net has no such embedding."""
    objective: Objective = "loss"
    """What the step's gradient and the scores are of. `squared_output` puts ‖ε_θ‖² in the place of
    the loss. F remains that of the loss."""
    step: Literal["newton", "gradient_ascent", "mirrored"]
    """`newton`: θ ← θ + (α/N) F⁻¹ ∇L(ẑ, θ), eq. 5 of the paper. `gradient_ascent`: θ ← θ + α
    ∇L(ẑ, θ). `mirrored` (MUCS): AdamW descends the loss of training images and ascends the query's,
    bounded by the loss of a model that has learned nothing, until the query's comes near it."""
    curvature: Literal["diagonal", "ekfac"] = "diagonal"
    """F of Newton steps. `diagonal`: the diagonal Fisher information. `ekfac`: EK-FAC (AbU+), which
    needs `cross_attention_kv`, as it is for linear layers without bias."""
    step_size: PositiveFloat
    """α, or AdamW's learning rate where the step is `mirrored` (MUCS: a tenth of training's)."""
    steps: Positive
    """Number of steps; for `mirrored` the most that are taken."""
    damping: Annotated[float, Field(ge=0)] = 0.0
    """λ of Newton steps. The step divides by F + λ · mean(F). The mean is over all entries of the
    subset, with `ekfac` over a layer's eigenvalues."""
    gradient_samples: Positive
    """Draws of (timestep, noise) over which a query's gradient is averaged. For `mirrored`, the
    training images of a step, beside as many copies of the query."""
    seed: Seed
    """Seed of these draws."""
    precision: Precision = later("float32")
    """Precision of these gradients, as under `training`."""
    readout: Readout = later("difference")
    """How scores are read from the unlearned model. `difference`: L(z, θ_−ẑ) − L(z, θ0), eq. 6.
    `skew` (MUCS): the mean over noises of (l_−ẑ − l_0) / (l_−ẑ + l_0 + 10⁻³), at the noisier 70 %
    of the timesteps."""
    boxes: dict[QueryName, Box] = {}
    """Spatially localized attribution: for some queries, the part of the picture to unlearn,
    `[left, top, right, bottom]` as fractions of its size, for example `boxes: { q003: [0, 0, 0.5,
    1] }`."""


class Embedding(Section):
    """Attribution by similarity of an encoder's features. It is a method, named by its key.

    A score is the cosine similarity between the features of the query and of a training image.
    """

    encoder: Name
    """`clip`, or another of the `encoders`: a model folder of open_clip, timm or transformers, with
    the preprocessing that the folder defines. The feature of a vision transformer is the final
    class token."""
    features: Literal["image", "text"]
    """`image`: the better score of an image and its flip. `text` (of `clip` only): the prompt is
    compared with captions, and the score is the average over an image's captions."""
    mapper: str | None = None
    """File with a linear layer, which is safetensors or a PyTorch file of tensors alone. The layer
    is applied to features of unit length (CLIP and DINO of *Attribution by Customization*)."""


class Patches(Section):
    """Nonparametric attribution (NDA), which needs no model. It is a method, named by its key.

    A query's latents are noised, and each patch of them is compared with all patches of the
    training latents. (The paper's code compares pixels; what our models are trained on are
    latents.)
    """

    patch: Positive
    """Side of a patch, in latents; odd."""
    timesteps: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1), Distinct]
    """Timesteps at which the query is noised. Scores are the mean over them."""
    best: Positive
    """How many patches of an image count, those most like the query's."""
    seed: Seed
    """Seed of the noise."""


class Distilled(Section):
    """Distilled features (FDA). It is a method, named by its key.

    A small network learns from a variant of unlearning, the teacher, how it ranks the nearest
    neighbours of `queries.teacher` queries that no number is reported of. It then scores a query by
    features alone: those of an image encoder, beside CLIP's of the prompt or the first caption.
    """

    teacher: Name
    """An entry of `unlearning`."""
    encoder: Name
    """The image encoder, by whose features neighbours are found, too."""
    candidates: Positive
    """How many nearest neighbours of a query are ranked."""
    width: Positive = 768
    """Units of each layer, and dimensions of the distilled features."""
    layers: Positive = 3
    """Hidden layers."""
    dropout: Fraction = 0.1
    """Dropout of each hidden layer."""
    outside: Fraction = 0.1
    """Chance of an image from outside the neighbours, which counts as the last of them."""
    epochs: PositiveFloat
    """Passes over all pairs of a query and a neighbour."""
    batch_size: Positive
    """Pairs of a batch."""
    learning_rate: PositiveFloat = 1e-3
    """AdamW's learning rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's weight decay."""
    seed: Seed
    """Seed of initial weights, pairs and dropout."""
    students: Positive = later(1)
    """How many networks learn, from this seed and those that follow it. Scores are the mean of
    theirs; of two or more, those of every second say how well scores repeat."""


class GradientDraws(Section):
    """The draws of (timestep, noise, caption) that per-sample gradients are averaged over."""

    objective: GradientObjective
    """What the gradients are of, as under `unlearning`, or `mean_output`, the mean of ε_θ (DAS)."""
    weights: WeightSubset
    """The weights that gradients are taken of, as under `unlearning`."""
    timesteps: Literal["random", "uniform", "stratified"]
    """How the timesteps of the draws are chosen. `uniform` spaces them evenly (D-TRAK);
    `stratified` takes a random one from each of as many equal stretches (FMAS)."""
    draws: Positive
    """Draws of (timestep, noise, caption) over which an image's gradient is averaged."""
    antithetic: bool = later(False)
    """Whether every second draw has the timestep and the negative of the noise before it (FMAS)."""
    shared_draws: bool = later(False)
    """Whether all images and queries have the same timesteps and noises (Motive), each caption
    still drawn for each image. `draws` are then the query's, too."""
    seed: Seed
    """Seed of draws and projections. Further source models have projections of their own."""
    precision: Precision = "float32"
    """Precision of the gradients, as under `training`. Projections are in float32."""


class Gradients(GradientDraws):
    """Projected per-sample gradients of the training images.

    They are computed once. Entries of `influence` refer to them by their key. An image's gradient
    is averaged over its draws before it is projected.
    """

    normalise: bool = later(False)
    """Whether the gradient of each draw is scaled to length one, once projected, before the draws
    are averaged (DAS)."""
    layout: Literal["joint", "by_layer"]
    """`joint`: one projection of all weights. `by_layer`: one projection for each weight tensor
    (DataInf)."""
    dimension: Positive
    """p, the dimension of each projection: p rows of a Hadamard matrix with random signs, drawn
    without replacement. Entries are ±1."""


class EkfacInfluence(GradientDraws):
    """Influence by EK-FAC. It is a method, named by its key.

    A score is ∇L(ẑ)ᵀ (G + λI)⁻¹ ∇L(z), with G the Gauss-Newton matrix in EK-FAC form, estimated
    from sampled output gradients (`fisher.samples` of them). Gradients are not projected. `weights`
    have to be of linear and convolution layers: `matrices` are all of them.
    """

    query_draws: Positive
    """Draws of (timestep, noise) over which the query's gradient is averaged."""
    damping: PositiveFloat
    """λ."""
    damping_of: Literal["layer", "absolute"]
    """`layer`: λ is multiplied by the mean eigenvalue of a layer (FMAS: 0.01). `absolute`: λ is
    added to all eigenvalues as it is (Mlodozeniec et al.: 1e-8)."""


class Influence(Section):
    """Scores of images by their projected gradients. Each entry is a method, named by its key."""

    gradients: Name
    """An entry of `gradients`."""
    solver: Literal["ridge", "datainf", "das", "cosine"]
    """`ridge`: φ(z)ᵀ (ΦᵀΦ + λI)⁻¹ φ(ẑ) (TRAK, D-TRAK). `datainf`: DataInf's closed form, layer by
    layer. `das`: the diffusion attribution score, from the gradient of the mean output and the
    images' losses. `cosine`: the cosine between φ(z) and φ(ẑ) (ReTrac, Motive)."""
    damping: Annotated[float, Field(ge=0)]
    """For `ridge` and `das`: λ, in the units of ΦᵀΦ. For `datainf`: λ divided by the mean squared
    gradient entry of a layer; it has to be above 0. `cosine` uses none."""
    query_draws: Positive
    """Draws of (timestep, noise) over which the query's gradient is averaged."""
    query_timestep: Annotated[int, Field(ge=0)] | None = None
    """One timestep for all of these draws (JourneyTRAK: 400)."""
    source_seeds: Annotated[list[Seed], Field(min_length=1), Distinct]
    """Training seeds of the source models whose scores are averaged. The seed of `training` is θ0.
    Other seeds are trained as further source models, which `retrain_seeds` share."""
