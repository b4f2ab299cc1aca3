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
from leavekout.config.fields import Box, Objective, Precision
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
    latent: Tensor,
    text: Tensor,
    *,
    query_id: int,
    step: int,
    samples: int,
    seed: int,
    batch: int,
    objective: Objective = "loss",
    precision: Precision = "float32",
    mask: Tensor | None = None,
) -> dict[str, Tensor]:
    """∇L(ẑ, θ) with respect to the chosen weights, averaged over draws of (t, ε).

    Args:
        latent: [4, h, w], the sampler's final latent; text: [T, E].
        query_id, step: key the draws together with `seed`.
        samples: number of draws.
        objective, mask: as in `denoising_loss`.
    """
    flags = {p: p.requires_grad for p in denoiser.parameters()}
    denoiser.requires_grad_(False)
    for parameter in weights.values():
        parameter.requires_grad_(True)
    totals = {name: torch.zeros_like(p) for name, p in weights.items()}
    with denoiser.shared_text() as keys_and_values, arithmetic(precision, latent.device):
        for draws in torch.arange(samples, device=latent.device).split(batch):
            first = random_uint32(seed, Domain.UNLEARNING, query_id, step, draws)[0]
            t = scale_to(first, process.timesteps)
            noise = normal(seed, Domain.UNLEARNING, query_id, step, draws, shape=latent.shape)
            x0 = latent.expand(len(draws), *latent.shape)
            losses = denoising_loss(
                denoiser,
                process,
                x0,
                t,
                noise.to(x0),
                # Made once; the attention's backward pass needs samples to spread over a GPU.
                keys_and_values(text[None]).expand(len(draws), -1, -1),
                objective=objective,
                mask=mask,
            )
            gradients = torch.autograd.grad(losses.sum() / samples, list(weights.values()))
            for total, gradient in zip(totals.values(), gradients, strict=True):
                total += gradient
    for parameter, flag in flags.items():
        parameter.requires_grad_(flag)
    return totals


def unlearn(
    denoiser: Denoiser,
    process: Process,
    weights: Mapping[str, nn.Parameter],
    curvature: Mapping[str, Tensor] | None,
    latent: Tensor,
    text: Tensor,
    config: Unlearning,
    *,
    query_id: int,
    images: int,
    batch: int,
    box: Box | None = None,
) -> None:
    """Moves the chosen weights of `denoiser`, in place, from θ0 to θ_−ẑ.

    newton:          θ ← θ + (α/N) F⁻¹ ∇L(ẑ, θ)   (eq. 5), F the damped diagonal Fisher or EK-FAC
    gradient_ascent: θ ← θ + α ∇L(ẑ, θ)

    Args:
        curvature: the diagonal Fisher or the EK-FAC factors of the same weights, as
            `config.curvature` says; None for gradient ascent.
        images: N.
        box: part of the picture that is unlearned, in place of the whole (spatially localized
            attribution).
    """
    scale, precondition = _preconditioner(config, curvature, weights, images)
    mask = None if box is None else latent_mask(box, latent.shape[-2:]).to(latent.device)
    for step in range(config.steps):
        gradients = query_gradient(
            denoiser,
            process,
            weights,
            latent,
            text,
            query_id=query_id,
            step=step,
            samples=config.gradient_samples,
            seed=config.seed,
            batch=batch,
            objective=config.objective,
            precision=config.precision,
            mask=mask,
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
    if config.curvature == "ekfac":
        return config.step_size / images, partial(
            ekfac.solve, curvature or {}, damping=config.damping
        )
    if curvature is None or curvature.keys() != weights.keys():
        raise InputError(f"fisher: not the Fisher of the weight subset '{config.weights}'.")
    divisor = damped(curvature, config.damping)
    return config.step_size / images, lambda gradients: {
        name: gradient / divisor[name].to(gradient) for name, gradient in gradients.items()
    }


def latent_mask(box: Box, size: Sequence[int]) -> Tensor:
    """The latents whose centres lie inside a box: bool [h, w].

    Raises:
        InputError: the box holds none.
    """
    left, top, right, bottom = box
    height, width = size
    y, x = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    mask = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None]
    if not mask.any():
        raise InputError(
            f"boxes: {list(box)} holds the centre of none of {height} x {width} latents."
        )
    return mask


def unlearned_denoiser(
    files: Any,
    model: Model,
    config: Unlearning,
    *,
    query: str,
    box: Box | None,
    images: int,
    batch: int,
    device: torch.device,
    data: EncodedData | None = None,
) -> Any:
    """The denoiser at θ_−ẑ, from the source model's weights and a query's name.

    Args:
        files: paths of `weights` (or several, as in `load_denoiser`), `query_table`,
            `query_latents`, `query_text`, and of `fisher` where `config` needs a curvature.
        data: the training images, which mirrored unlearning keeps.
    """
    one = Queries.load(files, [query], device)
    denoiser = load_denoiser(model, files["weights"], device=device)
    if config.step == "mirrored":
        assert data is not None
        process = build_process(model)
        untrained = build_denoiser(model, seed=config.seed, device=device)
        null = null_loss(untrained, process, data, batch=config.gradient_samples, seed=config.seed)
        steps = mirrored_ascent(
            denoiser,
            process,
            select_weights(denoiser, config.weights),
            data,
            one.latents[0],
            one.text[0],
            config,
            query_id=one.noise_seeds[0],
            null=null,
        )
        logger.info("unlearned in %d steps", steps)
        return denoiser
    curvature = files.get("fisher")
    unlearn(
        denoiser,
        build_process(model),
        select_weights(denoiser, config.weights),
        load_tensors(curvature)[0] if curvature else None,
        one.latents[0],
        one.text[0],
        config,
        query_id=one.noise_seeds[0],
        images=images,
        batch=batch,
        box=box,
    )
    return denoiser
