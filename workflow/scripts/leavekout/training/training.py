"""Trains a diffusion model from scratch, in a way that survives being killed."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData, prefetch
from leavekout.errors import InputError, Interrupted
from leavekout.models.denoiser import Denoiser, build_denoiser
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process, build_process
from leavekout.noise import Domain, normal
from leavekout.runtime.interruption import stop_request
from leavekout.runtime.job import progress
from leavekout.runtime.precision import arithmetic, products
from leavekout.training.state import resume, save_state, training_identity
from leavekout.training.stream import Stream

logger = logging.getLogger("leavekout")
_CHECK_EVERY = 200  # steps between looks at the loss, which make the host wait for the GPU


def learning_rate(config: Training, step: int, steps: int) -> float:
    """Learning rate at a step: linear warm-up, then constant or a cosine to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.learning_rate_schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def train_from_scratch(
    data: EncodedData,
    model: Model,
    config: Training,
    *,
    removed: np.ndarray,
    state: Path,
    save_state_seconds: float,
    compiled: bool = False,
    what: str = "training",
) -> tuple[Any, dict[str, Any]]:
    """Trains a model on all training images but the `removed` rows: A(D \\ D^K) of eq. 1.

    Args:
        removed: int64 [K]; rows that are no training images at all are left out besides.
        state: where the training's state is saved; the caller deletes it once what the model is
            for has been written.

    Returns:
        The denoiser, and notes on its training for the file that is made of it.
    """
    denoiser = build_denoiser(model, seed=config.seed, device=data.device)
    process = build_process(model)
    rows = torch.from_numpy(np.union1d(removed, data.held_out.numpy()))
    _require_fit(denoiser, data)
    result = train(
        denoiser,
        process,
        data,
        config,
        removed=rows,
        state=state,
        save_state_seconds=save_state_seconds,
        compiled=compiled,
        what=what,
    )
    logger.info("%s: trained, %s", what, result)
    return denoiser, {"training": config.model_dump(), "removed": len(rows), **result}


def state_beside(output: Path) -> Path:
    """Where a training's state is saved while `output` is in the making."""
    return output.with_name(f"{output.stem}.state.safetensors")


def train(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: Training,
    *,
    removed: Tensor,
    state: Path,
    save_state_seconds: float,
    compiled: bool = False,
    what: str = "training",
    on_step: Callable[[int, Tensor], None] = lambda step, loss: None,
) -> dict[str, float | None]:
    """Trains `denoiser` in place: A(D \\ D^K) of eq. 1.

    AdamW on the loss over the paired stream of `config.seed` (see `stream.py`). The whole
    state goes to the file `state` every `save_state_seconds`, and when a signal asks to stop; if
    that file is there at the start, training continues from it, to the same final weights as
    without the interruption.

    Args:
        denoiser: with its initial weights.
        removed: int64 [K], rows that are left out.
        compiled: see `ready_to_train`.
        on_step: called after each step with its number and loss.

    Returns:
        {"steps": …, "final_loss": mean loss over the last tenth of the steps}.

    Raises:
        Interrupted: on SIGTERM, SIGUSR1 or SIGINT, after the state was saved.
    """
    if len(removed) >= data.images:
        raise InputError(f"K = {len(removed):,} leaves nothing of {data.images:,} training images.")
    steps = config.steps(data.images, len(removed))
    stream = Stream(
        images=data.images,
        flips=data.flips,
        captions=data.captions,
        timesteps=process.timesteps,
        caption_dropout=config.caption_dropout,
        removed=removed,
        seed=config.seed,
        domain=Domain.TRAINING,
    )
    forward = ready_to_train(denoiser, data.device, compiled=compiled)
    parameters = list(denoiser.parameters())
    optimizer = torch.optim.AdamW(
        parameters, config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    identity = training_identity(denoiser, process, data, config, removed)
    first = resume(denoiser, optimizer, state, identity)
    if first:
        logger.info("%s: continues at step %d of %d", what, first, steps)
    losses: deque[Tensor] = deque(maxlen=max(1, steps // 10))
    saved = time.monotonic()
    batches = prefetch(training_batches(data, stream, config, first, steps), data.device)
    with stop_request() as stop, products(config.precision):
        for step, (x0, t, noise, text) in progress(
            enumerate(batches, start=first), what, steps, start=first
        ):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step, steps)
            with arithmetic(config.precision, data.device):
                loss = denoising_loss(forward, process, x0, t, noise, text).mean()
            optimizer.zero_grad()
            loss.backward()
            if config.gradient_clip is not None:
                nn.utils.clip_grad_norm_(parameters, config.gradient_clip)
            optimizer.step()
            losses.append(loss.detach())
            if step % _CHECK_EVERY == 0 or step == steps - 1:
                _require_finite(losses[-1], what, step)
            if stop.by:
                save_state(denoiser, optimizer, state, identity, step + 1)
                raise Interrupted(
                    f"{what}: stopped by {stop.by.name} after step {step + 1} of {steps}; its "
                    "state is saved, and a retry goes on from there.",
                    stop.by,
                )
            if time.monotonic() - saved > save_state_seconds:
                try:
                    save_state(denoiser, optimizer, state, identity, step + 1)
                except InputError as error:
                    logger.warning("%s Training goes on; a kill would lose it.", error)
                saved = time.monotonic()
            on_step(step, losses[-1])
    # None where a saved state was already at the last step.
    final_loss = torch.stack(list(losses)).mean().item() if losses else None
    return {"steps": steps, "final_loss": final_loss}


def training_batches(
    data: EncodedData, stream: Stream, config: Training, first: int, steps: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yields (x0, timesteps, noise, text states) of each step from `first` on, on the device.

    On a GPU several steps are drawn at once, which costs the host a fraction of the calls.
    """
    at_once = _steps_at_once(data.device)
    for step in range(first, steps, at_once):
        last = min(step + at_once, steps)
        samples = stream.samples(step * config.batch_size, last * config.batch_size)
        x0, text = data.batch(samples)
        positions, t = samples.positions.to(data.device), samples.timesteps.to(data.device)
        noise = normal(config.seed, Domain.TRAINING, positions, shape=data.latent_shape)
        yield from zip(*(x.split(config.batch_size) for x in (x0, t, noise, text)), strict=True)


def _steps_at_once(device: torch.device) -> int:
    return 8 if device.type == "cuda" else 1


def ready_to_train(denoiser: Any, device: torch.device, *, compiled: bool) -> Any:
    """The denoiser as the training loop calls it.

    On a GPU convolutions run with channels last. `compiled` fuses its elementwise steps, and on a
    GPU replays its kernels as CUDA graphs: of a small model the time is in launching them.
    """
    if device.type == "cuda":
        denoiser.to(memory_format=torch.channels_last)
    if not compiled:
        return denoiser
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    fused = torch.compile(denoiser, mode=mode, fullgraph=True, dynamic=False)

    def forward(*inputs: Tensor, **options: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # the last step's results are done with
        return fused(*inputs, **options)

    return forward


def _require_finite(loss: Tensor, what: str, step: int) -> None:
    if not torch.isfinite(loss):
        raise InputError(
            f"{what}: the loss is {loss.item()} at step {step}; lower training.learning_rate."
        )


def _require_fit(denoiser: Denoiser, data: EncodedData) -> None:
    """Refuses a denoiser of another geometry than the encoded data."""
    if denoiser.latent_shape != data.latent_shape:
        raise InputError(
            f"model: takes latents of shape {denoiser.latent_shape}, but the encoded images are "
            f"{data.latent_shape}."
        )
    if denoiser.text_width not in (None, data.text.shape[-1]):
        raise InputError(
            f"model: takes text states of width {denoiser.text_width}, but those of the captions "
            f"have width {data.text.shape[-1]}."
        )
