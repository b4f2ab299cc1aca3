"""The diagonal Fisher information of a weight subset at θ0 (Appendix A.1 of the paper)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from leavekout.base.errors import InputError
from leavekout.base.job import progress
from leavekout.base.noise import Domain, normal
from leavekout.base.precision import arithmetic
from leavekout.base.sums import Sums
from leavekout.config.fields import Precision
from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process
from leavekout.training.stream import Stream


@dataclass(frozen=True)
class FisherSample:
    """A batch of training samples at which the curvature is estimated."""

    x0: Tensor  # [B, 4, h, w]
    text: Tensor  # [B, T, E]
    timesteps: Tensor  # int64 [B]
    noise: Tensor  # [B, 4, h, w]
    output_noise: Tensor  # [B, 4, h, w], for a sampled Gauss-Newton matrix

    def __len__(self) -> int:
        """B."""
        return len(self.x0)

    def loss(self, denoiser: Denoiser, process: Process) -> Tensor:
        """L of each sample: [B]."""
        return denoising_loss(denoiser, process, self.x0, self.timesteps, self.noise, self.text)


def fisher_samples(
    process: Process,
    data: EncodedData,
    *,
    samples: int,
    seed: int,
    batch: int,
    what: str,
    first: int = 0,
) -> Iterator[FisherSample]:
    """Training samples in batches: one uniform timestep and fresh noise for each.

    A sample is an image, flip and caption; images come in shuffled epochs. Sample j is keyed by
    (seed, j), so only rounding depends on `batch`. Only training images are drawn.

    Args:
        first: the sample to begin with, of `samples`.
    """
    stream = Stream.of_images(data, timesteps=process.timesteps, seed=seed, domain=Domain.FISHER)
    starts = range(first, samples, batch)
    for start in progress(starts, what, total=len(starts)):
        drawn = stream.samples(start, min(start + batch, samples))
        x0, text = data.batch(drawn)
        positions, t = drawn.positions.to(data.device), drawn.timesteps.to(data.device)
        noise, of_output = (
            normal(seed, Domain.FISHER, positions, which, shape=data.latent_shape).to(x0)
            for which in (0, 1)
        )
        yield FisherSample(x0, text, t, noise, of_output)


def diagonal_fisher(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    weights: Mapping[str, nn.Parameter],
    *,
    samples: int,
    seed: int,
    precision: Precision = "float32",
    batch: int,
    sums: Sums | None = None,
) -> dict[str, Tensor]:
    """F = mean over samples of (∇L(z, θ))², the square taken for each sample alone.

    Args:
        sums: where the squares are added up, maybe from the middle of an earlier attempt.

    Returns:
        For each name in `weights`, a float32 tensor of the weight's shape.
    """
    sums = sums or Sums()
    options = {"samples": samples, "seed": seed, "batch": batch, "first": sums.count}
    for sample in sums.counted(fisher_samples(process, data, what="Fisher", **options)):
        with (
            arithmetic(precision, data.device),
            per_sample_gradients(denoiser, weights) as gradients,
        ):
            sample.loss(denoiser, process).sum().backward()
        for name, gradient in gradients.items():
            sums.add(name, gradient.square().sum(0))
    return {name: (total / samples).float() for name, total in sums.totals.items()}


def damped(fisher: Mapping[str, Tensor], damping: float) -> dict[str, Tensor]:
    """F + λ · mean(F): what the Newton step divides by.

    The mean is over all entries of the subset. Entries near zero belong to weights that the
    training data hardly uses, and without damping they would take unbounded steps of (5). λ = 0 is
    the published code's division.

    Raises:
        InputError: λ = 0 and some entry is zero.
    """
    entries = sum(f.numel() for f in fisher.values())
    mean = sum(float(f.double().sum()) for f in fisher.values()) / entries
    result = {name: f + damping * mean for name, f in fisher.items()}
    zeros = sum(int((f <= 0).sum()) for f in result.values())
    if zeros:
        raise InputError(f"{zeros:,} of {entries:,} Fisher entries are zero; use damping > 0.")
    return result
