"""The loss L(z, θ), and its values for queries."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from leavekout.base.noise import Domain, normal
from leavekout.config.fields import GradientObjective
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process


def denoising_loss(
    denoiser: Callable[[Tensor, Tensor, Tensor], Tensor],
    process: Process,
    x0: Tensor,
    timesteps: Tensor,
    noise: Tensor,
    text: Tensor,
    *,
    objective: GradientObjective = "loss",
    mask: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the prediction f_θ(x_t, c, t), for each sample.

    For diffusion, f is ε_θ and the target ε; for flow matching, f is v_θ and the target ε − x_0.

    Args:
        x0, noise: [B, 4, h, w]; timesteps: int64 [B]; text: [B, T, E].
        objective: `squared_output` takes ‖f_θ(x_t, c, t)‖² in place of the error (D-TRAK);
            `mean_output` takes the mean of f_θ's elements, not squared (DAS).
        mask: bool [h, w]; restricts the mean to elements where it is true.

    Returns:
        [B], the mean over latent elements.
    """
    x_t = process.noised(x0, noise, timesteps)
    predicted = denoiser(x_t, process.times(timesteps), text)
    if objective == "loss":
        error = predicted - process.target(x0, noise)
    else:
        error = predicted.to(noise.dtype)
    elements = error if mask is None else error[:, :, mask]
    if objective == "mean_output":
        return elements.flatten(1).mean(1)
    return elements.square().flatten(1).mean(1)


def batches_of_passes(texts: int, members: int, batch: int) -> Iterator[tuple[slice, slice]]:
    """Splits `members` passes for each text into batches of several texts, or of part of one."""
    for text in range(0, texts, at_once := max(1, batch // members)):
        for member in range(0, members, batch):
            yield slice(text, text + at_once), slice(member, member + batch)


@torch.no_grad()
def query_losses(
    denoiser: Denoiser,
    process: Process,
    latents: Tensor,
    text: Tensor,
    query_ids: Tensor,
    *,
    timesteps: Tensor,
    seed: int,
    batch: int,
) -> np.ndarray:
    """L(ẑ, θ) of Q queries at each timestep: float64 [Q, len(timesteps)].

    Args:
        latents: [Q, 4, h, w], the sampler's final latents; text: [Q, T, E].
        query_ids: int64 [Q]. The noise is keyed to query and timestep.
    """
    timesteps, ids = timesteps.to(latents.device), query_ids.to(latents.device)
    result = torch.empty(len(latents), len(timesteps), dtype=torch.float64, device=latents.device)
    with denoiser.shared_text() as keys_and_values:
        for queries, steps in batches_of_passes(len(latents), len(timesteps), batch):
            x0, t = latents[queries], timesteps[steps]
            identity = (ids[queries].repeat_interleave(len(t)), t.repeat(len(x0)))
            noise = normal(seed, Domain.EVALUATION, *identity, shape=latents.shape[1:])
            losses = denoising_loss(
                denoiser,
                process,
                x0.repeat_interleave(len(t), 0),
                identity[1],
                noise.to(latents),
                keys_and_values(text[queries]),
            )
            result[queries, steps] = losses.double().view(len(x0), len(t))
    return result.cpu().numpy()
