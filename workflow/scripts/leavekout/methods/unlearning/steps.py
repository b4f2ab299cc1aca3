"""Attribution by unlearning: the method of the paper (Section 4)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from leavekout.base.errors import InputError
from leavekout.base.noise import Domain, normal, random_uint32, scale_to
from leavekout.base.precision import arithmetic
from leavekout.base.tensors import load_tensors
from leavekout.config.experiment import Model
from leavekout.config.fields import Box
from leavekout.curvature import ekfac
from leavekout.curvature.fisher import damped
from leavekout.data.encoded import EncodedData
from leavekout.methods.unlearning.mirrored import mirrored_ascent, null_loss
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.models.denoiser import Denoiser, build_denoiser, load_denoiser, select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process, build_process
from leavekout.queries.loading import Queries

logger = logging.getLogger("leavekout")


def query_gradient(
    denoiser: Denoiser,
    process: Process,
    weights: Mapping[str, nn.Parameter],
    query: Queries,
    config: Unlearning,
    *,
    step: int,
    batch: int,
    mask: Tensor | None = None,
) -> dict[str, Tensor]:
    """∇L(ẑ, θ) with respect to the chosen weights, averaged over draws of (t, ε).

    Args:
        query: one query. Its noise seed keys the draws, together with `step` and `config.seed`.
        mask: as in `denoising_loss`.
    """
    latent, query_id = query.latents[0], query.noise_seeds[0]
    flags = {p: p.requires_grad for p in denoiser.parameters()}
    denoiser.requires_grad_(False)
    for parameter in weights.values():
        parameter.requires_grad_(True)
    totals = {name: torch.zeros_like(p) for name, p in weights.items()}
    with denoiser.shared_text() as keys_and_values, arithmetic(config.precision, latent.device):
        for draws in torch.arange(config.gradient_samples, device=latent.device).split(batch):
            key = (config.seed, Domain.UNLEARNING, query_id, step, draws)
            t = scale_to(random_uint32(*key)[0], process.timesteps)
            x0 = latent.expand(len(draws), *latent.shape)
            losses = denoising_loss(
                denoiser,
                process,
                x0,
                t,
                normal(*key, shape=latent.shape).to(x0),
                # Made once; the attention's backward pass needs samples to spread over a GPU.
                keys_and_values(query.text).expand(len(draws), -1, -1),
                objective=config.objective,
                mask=mask,
            )
            mean = losses.sum() / config.gradient_samples
            gradients = torch.autograd.grad(mean, list(weights.values()))
            for total, gradient in zip(totals.values(), gradients, strict=True):
                total += gradient
    for parameter, flag in flags.items():
        parameter.requires_grad_(flag)
    return totals


def unlearn(
    denoiser: Denoiser,
    process: Process,
    query: Queries,
    config: Unlearning,
    curvature: Mapping[str, Tensor] | None,
    *,
    images: int,
    batch: int,
    box: Box | None = None,
) -> None:
    """Moves the weights `config.weights` of `denoiser`, in place, from θ0 to θ_−ẑ.

    newton:          θ ← θ + (α/N) F⁻¹ ∇L(ẑ, θ)   (eq. 5), F the damped diagonal Fisher or EK-FAC
    gradient_ascent: θ ← θ + α ∇L(ẑ, θ)

    Args:
        query: one query, ẑ.
        curvature: the diagonal Fisher or the EK-FAC factors of these weights; None for gradient
            ascent.
        images: N.
        box: the part of the picture to unlearn; the whole unless given.
    """
    weights = select_weights(denoiser, config.weights)
    scale, precondition = _preconditioner(config, curvature, weights, images)
    size, device = query.latents.shape[-2:], query.latents.device
    mask = None if box is None else latent_mask(box, size).to(device)
    for step in range(config.steps):
        gradients = query_gradient(
            denoiser, process, weights, query, config, step=step, batch=batch, mask=mask
        )
        with torch.no_grad():
            for name, direction in precondition(gradients).items():
                weights[name].add_(scale * direction)


def _preconditioner(
    config: Unlearning,
    curvature: Mapping[str, Tensor] | None,
    weights: Mapping[str, nn.Parameter],
    images: int,
) -> tuple[float, Callable[[dict[str, Tensor]], dict[str, Tensor]]]:
    """The factor before the step, and what turns a gradient into its direction."""
    if config.step == "gradient_ascent":
        return config.step_size, lambda gradients: gradients
    scale = config.step_size / images
    if config.curvature == "ekfac":
        return scale, partial(ekfac.solve, curvature or {}, damping=config.damping)
    if curvature is None or curvature.keys() != weights.keys():
        raise InputError(f"fisher: not the Fisher of the weight subset '{config.weights}'.")
    divisor = damped(curvature, config.damping)
    return scale, lambda gradients: {
        name: gradient / divisor[name].to(gradient) for name, gradient in gradients.items()
    }


def latent_mask(box: Box, size: Sequence[int]) -> Tensor:
    """Where the centre of a latent is inside a box: bool [h, w].

    Raises:
        InputError: it is for no latent.
    """
    left, top, right, bottom = box
    height, width = size
    y, x = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    mask = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None]
    if not mask.any():
        raise InputError(
            f"boxes: {list(box)} contains the centre of none of the {height} x {width} latents."
        )
    return mask


def unlearned_denoiser(
    files: Any,
    model: Model,
    config: Unlearning,
    query: Queries,
    *,
    box: Box | None,
    images: int,
    batch: int,
    data: EncodedData | None = None,
) -> Any:
    """The denoiser at θ_−ẑ, from the weights of the source model.

    Args:
        files: paths of `weights` (or several, as in `load_denoiser`), and of `fisher` where
            `config` needs a curvature.
        query, box, images, batch: as in `unlearn`.
        data: the training images, which mirrored unlearning preserves.
    """
    device, process = query.latents.device, build_process(model)
    denoiser = load_denoiser(model, files["weights"], device=device)
    if config.step == "mirrored":
        assert data is not None
        untrained = build_denoiser(model, seed=config.seed, device=device)
        null = null_loss(untrained, process, data, batch=config.gradient_samples, seed=config.seed)
        steps = mirrored_ascent(denoiser, process, data, query, config, null=null)
        logger.info("unlearned in %d steps", steps)
    else:
        path = files.get("fisher")
        curvature = load_tensors(path)[0] if path else None
        unlearn(denoiser, process, query, config, curvature, images=images, batch=batch, box=box)
    return denoiser
