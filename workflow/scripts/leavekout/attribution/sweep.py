"""The loss of every training image under a model: the sweep behind the scores of eq. 6."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.config.experiment import LossSweep
from leavekout.config.fields import Objective
from leavekout.data.encoded import EncodedData, prefetch
from leavekout.models.denoiser import Denoiser
from leavekout.models.loss import batches_of_passes, denoising_loss
from leavekout.models.process import Process
from leavekout.noise import Domain, normal
from leavekout.runtime.job import label, progress
from leavekout.runtime.precision import arithmetic
from leavekout.runtime.rows import Rows, identity_of


@torch.no_grad()
def training_loss_parts(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: LossSweep,
    *,
    batch: int,
    objective: Objective = "loss",
    first: int = 0,
    what: str = "losses",
) -> Iterator[Tensor]:
    """Yields L(z, θ) of b rows at a time, float64 [b, F], from row `first` to the last.

    The mean over strided timesteps and the first `captions` captions. The noise is keyed to
    (image id, flip, caption, timestep), so it is the same for every θ, and nothing else: five
    captions bring five draws of noise.

    Args:
        batch: forward passes at a time.
    """
    device, captions = data.device, config.captions
    timesteps = process.strided_timesteps(config.timestep_stride)
    # The M passes of each caption: every flip at every timestep.
    flip, t = torch.cartesian_prod(torch.arange(data.flips), timesteps).to(device).T
    chunk = max(1, batch // (len(t) * captions))  # images at a time
    caption = torch.arange(captions)

    def chunks() -> Iterator[tuple[Tensor, ...]]:
        for start in range(first, data.images, chunk):
            rows = torch.arange(start, min(start + chunk, data.images))
            ids = data.image_ids[rows].to(device)
            noise = sweep_noise(config.seed, ids, flip, t, captions, data.latent_shape)
            yield rows, data.latents[(rows,)], data.text[rows[:, None], caption[None]], noise

    with denoiser.shared_text() as keys_and_values:
        total = -(-(data.images - first) // chunk)
        ahead = prefetch(chunks(), device)
        for rows, latents, text, noise in progress(ahead, what, total, every_seconds=20):
            sums = torch.zeros(len(rows), data.flips, dtype=torch.float64, device=device)
            with arithmetic(config.precision, device):
                shared = keys_and_values(text.flatten(0, 1))  # [b·C, T, P]
                image = torch.arange(len(rows), device=device).repeat_interleave(captions)
                for texts, passes in batches_of_passes(len(shared), len(t), batch):
                    at = torch.broadcast_tensors(image[texts, None], flip[passes])
                    x0 = latents[at]  # [g, m, 4, h, w]
                    losses = denoising_loss(
                        denoiser,
                        process,
                        x0.flatten(0, 1),
                        t[passes].repeat(len(x0)),
                        noise[texts, passes].flatten(0, 1).to(x0),
                        shared[texts],
                        objective=objective,
                    )
                    sums.index_put_(at, losses.double().view_as(at[0]), accumulate=True)
            yield sums / (len(timesteps) * captions)


def sweep_noise(
    seed: int, ids: Tensor, flip: Tensor, t: Tensor, captions: int, shape: tuple[int, ...]
) -> Tensor:
    """The noise of a sweep: [b·C, M, *shape], a draw for each image, caption, flip and timestep.

    Args:
        ids: int64 [b], of images; flip, t: int64 [M], of the passes of one caption.
    """
    passes, each = len(t), captions * len(t)
    caption = torch.arange(captions, device=t.device).repeat_interleave(passes)  # [C·M]
    # Flip and caption share a word of the key; the first caption's noise is keyed by the flip.
    variant = flip.repeat(captions) | (caption << 1)
    images = len(ids)
    keys = (ids.repeat_interleave(each), variant.repeat(images), t.repeat(captions * images))
    noise = normal(seed, Domain.SWEEP, *keys, shape=shape)
    return noise.unflatten(0, (images * captions, passes))


def training_losses(*arguments: Any, **options: Any) -> np.ndarray:
    """All of `training_loss_parts` at once: float64 [N, F]."""
    return torch.cat(list(training_loss_parts(*arguments, **options))).cpu().numpy()


def sweep_rows(
    output: Path,
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: LossSweep,
    *,
    batch: int,
    objective: Objective,
    settings: Mapping[str, Any],
    save_seconds: float,
) -> Rows:
    """All losses, float64 [N, F], filled beside `output` in a way that survives being killed.

    Args:
        settings: what else the losses depend on; rows of other settings are not gone on from.
    """
    rows = Rows(
        output,
        np.float64,
        (data.images, data.flips),
        identity=identity_of(config.model_dump(), settings, objective, data.fingerprint, denoiser),
        save_seconds=save_seconds,
    )
    rows.fill(
        training_loss_parts(
            denoiser,
            process,
            data,
            config,
            batch=batch,
            objective=objective,
            first=rows.filled,
            what=label(output),
        )
    )
    return rows
