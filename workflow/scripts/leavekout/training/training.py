"""Trains a diffusion model from scratch, with checkpoints."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leavekout.base.artifacts import first_not_finite
from leavekout.base.errors import InputError, Interrupted
from leavekout.base.interruption import stop_request
from leavekout.base.job import progress
from leavekout.base.noise import Domain, normal
from leavekout.base.precision import arithmetic, products
from leavekout.base.tensors import require_finite
from leavekout.config.experiment import Model, Training
from leavekout.data.encoded import EncodedData, prefetch
from leavekout.models.denoiser import Denoiser, build_denoiser
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process, build_process
from leavekout.training.state import Checkpoint, resume, save_state, training_identity
from leavekout.training.stream import Stream

logger = logging.getLogger("leavekout")
_CHECK_EVERY = 200  # steps between checks of the loss; a check makes the host wait for the GPU


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
    checkpoint: Checkpoint,
    compiled: bool = False,
    what: str = "training",
) -> tuple[Any, dict[str, Any]]:
    """Trains a model on all training images but the `removed` rows: A(D \\ D^K) of eq. 1.

    Args:
        removed: int64 [K]; held-out rows are always excluded as well.

    Returns:
        The denoiser, and notes on its training for the output's metadata.
    """
    process = build_process(model)
    denoiser = build_denoiser(model, seed=config.seed, device=data.device)
    rows = torch.from_numpy(np.union1d(removed, data.held_out.numpy()))
    if denoiser.latent_shape != data.latent_shape:
        raise InputError(
            f"model: takes latents of shape {denoiser.latent_shape}, but the encoded images are "
            f"{data.latent_shape}."
        )
    width = data.text.shape[-1]
    if denoiser.text_width not in (None, width):
        raise InputError(
            f"model: takes text states of width {denoiser.text_width}, but those of the captions "
            f"have width {width}."
        )
    result = train(
        denoiser,
        process,
        data,
        config,
        removed=rows,
        checkpoint=checkpoint,
        compiled=compiled,
        what=what,
    )
    logger.info("%s: trained, %s", what, result)
    return denoiser, {"training": config.model_dump(), "removed": len(rows), **result}


def train(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: Training,
    *,
    removed: Tensor,
    checkpoint: Checkpoint,
    compiled: bool = False,
    what: str = "training",
    on_step: Callable[[int, Tensor], None] = lambda step, loss: None,
) -> dict[str, float]:
    """Trains `denoiser` in place: A(D \\ D^K) of eq. 1.

    AdamW minimizes the loss over the paired stream of `config.seed` (see `stream.py`). The full
    state is saved at the `checkpoint`'s intervals, and when a signal asks to stop. If there is one
    at the start, training resumes from it, and the final weights are the same as without the
    interruption.

    Args:
        denoiser: with its initial weights.
        removed: int64 [K], rows that are left out.
        compiled: as in `ready_to_train`.
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
    make_ready(denoiser, data.device)
    parameters = list(denoiser.parameters())
    on_gpu = data.device.type == "cuda"
    # The learning rate is a tensor, so that setting it does not wait for the device. (A GPU's fused
    # step reads it in single precision.)
    dtype = torch.float32 if on_gpu else torch.float64
    rate = torch.tensor(config.learning_rate, dtype=dtype, device=data.device)
    optimizer = torch.optim.AdamW(
        parameters, rate, weight_decay=config.weight_decay, fused=True, capturable=on_gpu
    )
    identity = training_identity(denoiser, process, data, config, removed, compiled=compiled)
    losses: deque[Tensor] = deque(maxlen=max(1, steps // 10))
    first = resume(denoiser, optimizer, losses, checkpoint, identity)
    for group in optimizer.param_groups:
        group["lr"] = rate  # resuming replaced it by a copy
    if first:
        logger.info("%s: continues at step %d of %d", what, first, steps)
    saved = time.monotonic()
    batches = training_batches(data, stream, config, first, steps)
    with (
        stop_request() as stop,
        products(config.precision),
        ready_to_train(denoiser, process, data, config, compiled=compiled) as forward,
    ):
        for step, (x0, t, noise, text) in progress(
            enumerate(batches, start=first), what, steps, start=first
        ):
            rate.fill_(learning_rate(config, step, steps))
            with arithmetic(config.precision, data.device):
                loss = denoising_loss(forward, process, x0, t, noise, text).mean()
            optimizer.zero_grad()
            loss.backward()
            clip(optimizer, parameters, config.gradient_clip)
            optimizer.step()
            losses.append(loss.detach())
            if step % _CHECK_EVERY == 0 or step == steps - 1:
                _require_finite(losses[-1], data, what, step)
            if stop.by:
                save_state(denoiser, optimizer, losses, checkpoint, identity, step + 1)
                raise Interrupted(
                    f"{what}: stopped by {stop.by.name} after step {step + 1} of {steps}; its "
                    "state is saved, and a retry resumes from there.",
                    stop.by,
                )
            if time.monotonic() - saved > checkpoint.every_seconds:
                try:
                    save_state(denoiser, optimizer, losses, checkpoint, identity, step + 1)
                except InputError as error:
                    logger.warning("%s Training continues; a kill would lose it.", error)
                saved = time.monotonic()
            on_step(step, losses[-1])
    require_finite(denoiser.state_dict(), what, "lower training.learning_rate")
    final_loss = torch.stack([*losses]).mean().item()
    return {"steps": steps, "final_loss": final_loss}


def clip(
    optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], limit: float | None
) -> None:
    """Limits the norm of the gradient in the optimizer's step, as `nn.utils.clip_grad_norm_` does.

    The fused step divides gradients by `grad_scale` when it reads them, so clipping needs no
    separate pass.
    """
    if limit is not None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        scale = ((norm + 1e-6) / limit).clamp(min=1.0)
        optimizer.grad_scale = scale.float()  # type: ignore[attr-defined]


def training_batches(
    data: EncodedData, stream: Stream, config: Training, first: int, steps: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yields (x0, timesteps, noise, text states) of each step from `first` on, on the device.

    On a GPU several steps are drawn at once, to save calls, while the GPU computes earlier steps.
    """
    at_once = _steps_at_once(data.device)

    def chunks() -> Iterator[tuple[Tensor, ...]]:
        for step in range(first, steps, at_once):
            last = min(step + at_once, steps)
            samples = stream.samples(step * config.batch_size, last * config.batch_size)
            x0, text = data.batch(samples)
            positions, t = samples.positions.to(data.device), samples.timesteps.to(data.device)
            noise = normal(config.seed, Domain.TRAINING, positions, shape=data.latent_shape)
            yield x0, t, noise, text

    for chunk in prefetch(chunks(), data.device):
        yield from zip(*(x.split(config.batch_size) for x in chunk), strict=True)


def _steps_at_once(device: torch.device) -> int:
    return 8 if device.type == "cuda" else 1


def make_ready(denoiser: nn.Module, device: torch.device) -> None:
    """Prepares a denoiser for training: on a GPU, its convolutions use channels last."""
    if device.type == "cuda":
        denoiser.to(memory_format=torch.channels_last)


Forward = Callable[[Tensor, Tensor, Tensor], Tensor]


@contextmanager
def ready_to_train(
    denoiser: Denoiser, process: Process, data: EncodedData, config: Training, *, compiled: bool
) -> Iterator[Forward]:
    """Yields the denoiser as a function for the training loop.

    It computes the text's keys and values of all layers in one product. `compiled` fuses
    elementwise operations and on a GPU replays the kernels as CUDA graphs, because launching
    kernels dominates the time of a small model. Compilation happens here, before data is read.

    Raises:
        InputError: it cannot be compiled, or on a GPU not replayed, which would be slow.
    """
    with denoiser.shared_text() as keys_and_values:

        def forward(x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
            return denoiser(x_t, times, keys_and_values(text))

        if not compiled:
            yield forward
            return
        on_gpu = data.device.type == "cuda"
        mode = "reduce-overhead" if on_gpu else "default"
        fused = torch.compile(forward, mode=mode, fullgraph=True, dynamic=False)

        def step(*inputs: Tensor) -> Tensor:
            torch.compiler.cudagraph_mark_step_begin()  # the last step's results may be overwritten
            return fused(*inputs)

        _compile(step, denoiser, process, data, config)
        yield step


def _compile(
    forward: Forward, denoiser: Denoiser, process: Process, data: EncodedData, config: Training
) -> None:
    """Compiles by running some steps on zeros of a batch's shape."""
    from torch._dynamo.exc import BackendCompilerFailed  # takes seconds to import
    from torch._dynamo.utils import counters

    batch, device = config.batch_size, data.device
    x0 = torch.zeros(batch, *data.latent_shape, device=device)
    text = torch.zeros(batch, *data.null_text.shape, device=device)
    times = process.times(torch.zeros(batch, dtype=torch.int64, device=device))
    before = counters["inductor"]["cudagraph_skips"]
    try:
        for _ in range(3):  # compiled, recorded, replayed
            with arithmetic(config.precision, device):
                forward(x0, times, text).sum().backward()
    except BackendCompilerFailed as error:
        raise InputError(
            "hardware.compile: the model cannot be compiled here. It needs a C compiler and "
            f"Python's header files on the node ({str(error).splitlines()[0]})."
        ) from error
    finally:
        denoiser.zero_grad()
    if device.type == "cuda" and counters["inductor"]["cudagraph_skips"] > before:
        raise InputError(
            "hardware.compile: the compiled training cannot be replayed as a CUDA graph on this "
            "GPU, and would be several times slower; set it to false, or report this."
        )


def _require_finite(loss: Tensor, data: EncodedData, what: str, step: int) -> None:
    if torch.isfinite(loss):
        return
    for array in (data.latents, data.text):
        if (row := first_not_finite(array.array)) is not None:
            raise InputError(
                f"{what}: the loss is {loss.item()} at step {step}, because the {array.name} of "
                f"image {row} hold NaN or infinite values; encode or publish them again."
            )
    raise InputError(
        f"{what}: the loss is {loss.item()} at step {step}; lower training.learning_rate."
    )
