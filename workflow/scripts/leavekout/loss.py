"""The DDPM loss L(z, θ), and its sweeps over the training set and over queries."""

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from leavekout.data import EncodedData
from leavekout.job import progress
from leavekout.noise import Domain, normal
from leavekout.schema import LossSweep
from leavekout.schema_types import Objective
from leavekout.unet import strided_timesteps


def ddpm_loss(
    unet: nn.Module,
    scheduler: DDPMScheduler,
    x0: Tensor,
    timesteps: Tensor,
    noise: Tensor,
    text: Tensor,
    *,
    objective: Objective = "loss",
    mask: Tensor | None = None,
) -> Tensor:
    """Mean squared error between ε and ε_θ(x_t, c, t), for each sample.

    Args:
        x0, noise: [B, 4, h, w]; timesteps: int64 [B]; text: [B, T, E].
        objective: `squared_output` takes ‖ε_θ(x_t, c, t)‖² in place of the error, as D-TRAK does.
        mask: bool [h, w]; the mean is then over the elements where it is true.

    Returns:
        [B], the mean over latent elements.
    """
    x_t = scheduler.add_noise(x0, noise, timesteps)
    predicted = unet(x_t, timesteps, text, return_dict=False)[0]
    error = predicted - noise if objective == "loss" else predicted
    elements = error if mask is None else error[:, :, mask]
    return elements.square().flatten(1).mean(1)


@torch.no_grad()
def training_losses(
    unet: nn.Module,
    scheduler: DDPMScheduler,
    data: EncodedData,
    config: LossSweep,
    *,
    batch: int,
    objective: Objective = "loss",
    what: str = "losses",
) -> np.ndarray:
    """L(z, θ) of every training image and flip: float64 [N, F].

    The mean over strided timesteps and the first `captions` captions. The noise is keyed to
    (image id, flip, timestep), so it is the same for every θ, and for every caption of an image.
    """
    timesteps = strided_timesteps(scheduler, config.timestep_stride).to(data.device)
    flips, steps, captions = data.flips, len(timesteps), config.captions
    items = flips * steps * captions  # forward passes for one image
    chunk = max(1, batch // items)
    # Index of each forward pass within a chunk: image, flip, timestep, caption.
    grid = torch.cartesian_prod(*map(torch.arange, (chunk, flips, steps, captions))).T
    sums = torch.zeros(data.images * flips, dtype=torch.float64, device=data.device)
    starts = progress(
        range(0, data.images, chunk), what, total=data.images // chunk, every_seconds=20
    )
    for start in starts:
        rows = torch.arange(start, min(start + chunk, data.images))
        latents = data.latents[(rows,)]  # [b, F, 4, h, w]
        texts = data.text[rows[:, None], torch.arange(captions)[None]]  # [b, C, T, E]
        for part in grid[:, : len(rows) * items].split(batch, dim=1):
            image, flip, step, caption = part.to(data.device)
            t = timesteps[step]
            ids = data.image_ids[rows].to(data.device)[image]
            noise = normal(config.seed, Domain.SWEEP, ids, flip, t, shape=data.latent_shape)
            x0 = latents[image, flip]
            losses = ddpm_loss(
                unet, scheduler, x0, t, noise.to(x0), texts[image, caption], objective=objective
            )
            sums.index_add_(0, (start + image) * flips + flip, losses.double())
    return (sums / (steps * captions)).reshape(data.images, flips).cpu().numpy()


@torch.no_grad()
def query_losses(
    unet: nn.Module,
    scheduler: DDPMScheduler,
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
        query_ids: int64 [Q], which key the noise together with the timestep.
    """
    losses = []
    grid = torch.cartesian_prod(torch.arange(len(latents)), torch.arange(len(timesteps))).T
    for part in grid.split(batch, dim=1):
        query, step = part.to(latents.device)
        t = timesteps.to(latents.device)[step]
        ids = query_ids.to(latents.device)[query]
        noise = normal(seed, Domain.EVALUATION, ids, t, shape=latents.shape[1:]).to(latents)
        losses.append(ddpm_loss(unet, scheduler, latents[query], t, noise, text[query]).double())
    return torch.cat(losses).reshape(len(latents), len(timesteps)).cpu().numpy()
