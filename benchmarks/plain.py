"""What one writes first with the same libraries: the references that ours are measured beside."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from leavekout.base.noise import Domain, normal
from leavekout.base.precision import arithmetic
from leavekout.config.experiment import LossSweep
from leavekout.config.fields import Precision
from leavekout.curvature.fisher import fisher_samples
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process


def train(
    denoiser: Denoiser,
    process: Process,
    x0: Tensor,
    text: Tensor,
    *,
    steps: int,
    precision: Precision,
) -> None:
    """A loop as in diffusers' examples, on tensors that lie on the device."""
    optimizer = torch.optim.AdamW(denoiser.parameters(), 1e-4)
    for _ in range(steps):
        t = torch.randint(0, 1000, (len(x0),), device=x0.device)
        noise = torch.randn_like(x0)
        with arithmetic(precision, x0.device):
            predicted = denoiser(process.noised(x0, noise, t), process.times(t), text)
            loss = functional.mse_loss(predicted.float(), process.target(x0, noise))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def sweep(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: LossSweep,
    *,
    images: int,
    batch: int,
) -> Tensor:
    """Losses of the first images, [images, F]: each caption, flip and timestep is a sample."""
    timesteps = process.strided_timesteps(config.timestep_stride)
    factors = (images, data.flips, config.captions, len(timesteps))
    sums = torch.zeros(images, data.flips, dtype=torch.float64, device=data.device)
    for part in torch.cartesian_prod(*map(torch.arange, factors)).split(batch):
        image, flip, caption, step = part.T
        t = timesteps[step].to(data.device)
        ids, at = data.image_ids[image].to(data.device), flip.to(data.device)
        noise = normal(config.seed, Domain.SWEEP, ids, at, t, shape=data.latent_shape)
        noisy = process.noised(data.latents[image, flip], noise, t)
        with arithmetic(config.precision, data.device):
            predicted = denoiser(noisy, process.times(t), data.text[image, caption])
        target = process.target(data.latents[image, flip], noise)
        losses = (predicted - target).square().mean((1, 2, 3)).double()
        sums.index_put_((image.to(data.device), at), losses, accumulate=True)
    return sums / (config.captions * len(timesteps))


def fisher(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    weights: dict[str, nn.Parameter],
    *,
    samples: int,
    precision: Precision,
) -> dict[str, Tensor]:
    """One sample, one backward pass at a time."""
    sums = {name: torch.zeros_like(p) for name, p in weights.items()}
    for z in fisher_samples(process, data, samples=samples, seed=0, batch=1, what="plain"):
        with arithmetic(precision, data.device):
            loss = z.loss(denoiser, process).sum()
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for total, gradient in zip(sums.values(), gradients, strict=True):
            total += gradient.square() / samples
    return sums


def project(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    weights: dict[str, nn.Parameter],
    *,
    rows: int,
    draws: int,
    matrices: dict[torch.Size, Tensor],
    precision: Precision,
) -> None:
    """One backward pass for each draw, and a dense product for each layer of a row.

    Args:
        matrices: [entries, p] for each shape of a weight.
    """
    for _ in range(rows):
        totals = [torch.zeros_like(w) for w in weights.values()]
        for z in fisher_samples(process, data, samples=draws, seed=0, batch=1, what="plain"):
            with arithmetic(precision, data.device):
                loss = z.loss(denoiser, process).sum() / draws
            gradients = torch.autograd.grad(loss, list(weights.values()))
            for total, gradient in zip(totals, gradients, strict=True):
                total += gradient
        torch.stack([total.flatten() @ matrices[total.shape] for total in totals]).cpu()
