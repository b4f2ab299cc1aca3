"""Attribution by unlearning: the method of the paper (Section 4)."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from leavekout.errors import InputError
from leavekout.fisher import damped
from leavekout.loss import ddpm_loss
from leavekout.noise import Domain, normal, scale_to, words
from leavekout.schema import Unlearning


def query_gradient(
    unet: nn.Module,
    scheduler: DDPMScheduler,
    weights: Mapping[str, nn.Parameter],
    latent: Tensor,
    text: Tensor,
    *,
    query_id: int,
    step: int,
    samples: int,
    seed: int,
    batch: int,
) -> dict[str, Tensor]:
    """∇L(ẑ, θ) with respect to the chosen weights, averaged over draws of (t, ε).

    Args:
        latent: [4, h, w], the sampler's final latent; text: [T, E].
        query_id, step: key the draws together with `seed`.
        samples: number of draws.
    """
    flags = {p: p.requires_grad for p in unet.parameters()}
    unet.requires_grad_(False)
    for parameter in weights.values():
        parameter.requires_grad_(True)
    totals = {name: torch.zeros_like(p) for name, p in weights.items()}
    for draws in torch.arange(samples, device=latent.device).split(batch):
        first = words(seed, Domain.UNLEARNING, query_id, step, draws)[0]
        t = scale_to(first, scheduler.config.num_train_timesteps)
        noise = normal(seed, Domain.UNLEARNING, query_id, step, draws, shape=latent.shape)
        x0 = latent.expand(len(draws), *latent.shape)
        condition = text.expand(len(draws), *text.shape)
        loss = ddpm_loss(unet, scheduler, x0, t, noise.to(x0), condition).sum() / samples
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for total, gradient in zip(totals.values(), gradients, strict=True):
            total += gradient
    for parameter, flag in flags.items():
        parameter.requires_grad_(flag)
    return totals


def unlearn(
    unet: nn.Module,
    scheduler: DDPMScheduler,
    weights: Mapping[str, nn.Parameter],
    fisher: Mapping[str, Tensor] | None,
    latent: Tensor,
    text: Tensor,
    config: Unlearning,
    *,
    query_id: int,
    images: int,
    batch: int,
) -> None:
    """Moves the chosen weights of `unet`, in place, from θ0 to θ_−ẑ.

    newton:          θ ← θ + (α/N) F⁻¹ ∇L(ẑ, θ)   (eq. 5), F damped as `damped` says
    gradient_ascent: θ ← θ + α ∇L(ẑ, θ)

    Args:
        fisher: the diagonal Fisher of the same weights; None for gradient ascent.
        images: N.
    """
    if config.step == "newton":
        if fisher is None or fisher.keys() != weights.keys():
            raise InputError(f"fisher: not the Fisher of the weight subset '{config.weights}'.")
        divisor = damped(fisher, config.damping)
        scale = {name: config.step_size / images / f for name, f in divisor.items()}
    else:
        scale = {name: torch.tensor(config.step_size) for name in weights}
    for step in range(config.steps):
        gradients = query_gradient(
            unet,
            scheduler,
            weights,
            latent,
            text,
            query_id=query_id,
            step=step,
            samples=config.gradient_samples,
            seed=config.seed,
            batch=batch,
        )
        with torch.no_grad():
            for name, parameter in weights.items():
                parameter.add_(scale[name].to(parameter) * gradients[name])


def unlearning_scores(unlearned: np.ndarray, source: np.ndarray) -> np.ndarray:
    """τ(ẑ, z) = L(z, θ_−ẑ) − L(z, θ0) (eq. 6), the maximum over an image and its flip.

    Args:
        unlearned, source: float64 [N, F] from the same sweep (same noise for both models).

    Returns:
        float32 [N].
    """
    return (unlearned - source).max(axis=1).astype(np.float32)
