"""The loss of every training image under a model: the sweep behind the scores of eq. 6."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leavekout.base.job import label, progress
from leavekout.base.precision import arithmetic
from leavekout.base.rows import Rows, identity_of
from leavekout.config.experiment import LossSweep
from leavekout.config.fields import Objective
from leavekout.data.encoded import EncodedData, prefetch
from leavekout.models.denoiser import Denoiser
from leavekout.models.loss import batches_of_passes, denoising_loss
from leavekout.models.process import Process
from leavekout.sweeps.passes import Passes, passes_of


@torch.no_grad()
def pass_losses(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    passes: Passes,
    *,
    batch: int,
    objective: Objective = "loss",
    images: Tensor | None = None,
    first: int = 0,
    what: str = "losses",
) -> Iterator[Tensor]:
    """Yields the loss of each pass, [b, F, P] of b images at a time.

    Their mean over P estimates L(z, θ). The noise is that of `Passes`, the same for every θ.

    Args:
        batch: forward passes at a time.
        images: int64 [n], rows of the training set; all unless given.
        first: the place in `images` at which to begin.
    """
    device, captions = data.device, passes.config.captions
    images = torch.arange(data.images) if images is None else images
    members = data.flips * passes.count // captions  # M, of each caption
    flip = torch.arange(data.flips, device=device).repeat_interleave(members // data.flips)
    chunk = max(1, batch // (members * captions))  # images at a time
    if first >= len(images):
        return
    caption = torch.arange(captions)

    def chunks() -> Iterator[tuple[Tensor, ...]]:
        for rows in images[first:].split(chunk):
            ids = data.image_ids[rows].to(device)
            drawn = passes.drawn(ids, data.flips, data.latent_shape)
            yield rows, data.latents[(rows,)], data.text[rows[:, None], caption[None]], *drawn

    with denoiser.shared_text() as keys_and_values:
        total = -(-(len(images) - first) // chunk)
        ahead = prefetch(chunks(), device)
        for rows, latents, text, t, noise in progress(ahead, what, total, every_seconds=20):
            by_batch = []
            with arithmetic(passes.config.precision, device):
                shared = keys_and_values(text.flatten(0, 1))  # [b·C, T, P]
                image = torch.arange(len(rows), device=device).repeat_interleave(captions)
                for texts, some in batches_of_passes(len(shared), members, batch):
                    at = torch.broadcast_tensors(image[texts, None], flip[some])
                    x0 = latents[at]  # [g, m, 4, h, w]
                    losses = denoising_loss(
                        denoiser,
                        process,
                        x0.flatten(0, 1),
                        t[texts, some].flatten(),
                        noise[texts, some].flatten(0, 1).to(x0),
                        shared[texts],
                        objective=objective,
                    )
                    by_batch.append(losses.flatten())
            # [b, C, F, M / F] → [b, F, C · M / F]
            by_flip = torch.cat(by_batch).view(len(rows), captions, data.flips, -1).transpose(1, 2)
            yield by_flip.flatten(2)


def training_losses(
    denoiser: Denoiser, process: Process, data: EncodedData, config: LossSweep, **options: Any
) -> np.ndarray:
    """L(z, θ) of all images, the mean over passes: float64 [N, F].

    Args:
        options: as in `pass_losses`.
    """
    by_pass = pass_losses(denoiser, process, data, passes_of(config, process), **options)
    return torch.cat([losses.double().mean(2) for losses in by_pass]).cpu().numpy()


def sweep_rows(
    output: Path,
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    passes: Passes,
    *,
    batch: int,
    objective: Objective,
    settings: Mapping[str, Any],
    save_seconds: float,
    images: Tensor | None = None,
    reduce: Callable[[Tensor, Tensor], Tensor] | None = None,
    more: bool = False,
) -> Rows:
    """Losses of images, saved beside `output` so that a killed job can resume.

    Args:
        settings: what else the losses depend on; rows of other settings are not resumed.
        images: as in `pass_losses`.
        reduce: (losses [b, F, P], rows int64 [b]) → values to save, float64 [b, F, 2]. Without
            it, all losses are saved, float32 [N, F, P].
        more: whether another sweep of the job follows.
    """
    images = torch.arange(data.images) if images is None else images
    identity = (passes.config.model_dump(), settings, objective, data.fingerprint, denoiser)
    rows = Rows(
        output,
        np.float64 if reduce else np.float32,
        (len(images), data.flips, 2 if reduce else passes.count),
        identity=identity_of(*identity, images.tolist() if reduce else None),
        save_seconds=save_seconds,
    )

    def kept() -> Iterator[Tensor]:
        done = rows.filled
        for losses in pass_losses(
            denoiser,
            process,
            data,
            passes,
            batch=batch,
            objective=objective,
            images=images,
            first=rows.filled,
            what=label(output),
        ):
            here = images[done : done + len(losses)]
            done += len(losses)
            yield reduce(losses, here) if reduce else losses

    rows.fill(kept(), more=more)
    return rows
