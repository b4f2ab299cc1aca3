"""The pieces of `gpu_check.py`: a training step in its forms, and what is asked about it."""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.upsampling import Upsample2D
from measuring import wait
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from leavekout.base.precision import arithmetic, products
from leavekout.config.experiment import Training
from leavekout.config.model import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser, build_denoiser
from leavekout.models.loss import denoising_loss
from leavekout.models.process import Process, build_process
from leavekout.training.state import Checkpoint
from leavekout.training.training import clip, make_ready, ready_to_train, train


class _Stopped(Exception):
    """Stands for a kill."""


Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # x0, timesteps, noise, text


@dataclass
class Setting:
    """An architecture, a batch of its samples, and where they are."""

    model: Model
    training: Training
    data: EncodedData
    device: torch.device

    @property
    def process(self) -> Process:
        """What the denoiser is trained on."""
        return build_process(self.model)

    def batch(self, seed: int) -> Batch:
        """Made-up samples."""
        generator = torch.Generator().manual_seed(seed)
        size, shape = self.training.batch_size, self.data.latent_shape
        x0, noise = (torch.randn(size, *shape, generator=generator) for _ in range(2))
        text = torch.randn(size, *self.data.null_text.shape, generator=generator)
        t = torch.randint(self.process.timesteps, (size,), generator=generator)
        x0, t, noise, text = (x.to(self.device) for x in (x0, t, noise, text))
        return x0, t, noise, text

    def denoiser(self, seed: int = 0) -> Denoiser:
        """With initial weights."""
        denoiser = build_denoiser(self.model, seed=seed, device=self.device)
        make_ready(denoiser, self.device)
        return denoiser


class Step:
    """One optimizer step: loss, backward pass, clipping, AdamW; on request one CUDA graph.

    The graph is of the whole step, recorded on a stream of its own, and waits for nothing: what a
    cohort of paired trainings in one process would be made of.
    """

    def __init__(self, setting: Setting, *, seed: int = 0, graphed: bool = False) -> None:
        self.setting, self.process = setting, setting.process
        self.network = setting.denoiser(seed)
        self.parameters = list(self.network.parameters())
        on_gpu = setting.device.type == "cuda"
        rate = torch.tensor(
            setting.training.learning_rate,
            dtype=torch.float32 if on_gpu else torch.float64,
            device=setting.device,
        )
        self.optimizer = torch.optim.AdamW(
            self.parameters, rate, weight_decay=0.01, fused=True, capturable=on_gpu
        )
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream: Any = torch.cuda.Stream(setting.device) if on_gpu else None
        self.inputs = setting.batch(0)
        if graphed and on_gpu:
            self._record()

    def _compute(self) -> None:
        x0, t, noise, text = self.inputs
        self.optimizer.zero_grad(set_to_none=False)
        with (
            self.network.shared_text() as keys_and_values,
            arithmetic(self.setting.training.precision, self.setting.device),
        ):

            def forward(x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
                return self.network(x_t, times, keys_and_values(text))

            loss = denoising_loss(forward, self.process, x0, t, noise, text).mean()
        loss.backward()
        clip(self.optimizer, self.parameters, self.setting.training.gradient_clip)
        self.optimizer.step()

    def _record(self) -> None:
        weights = copy.deepcopy(self.network.state_dict())
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(3):
                self._compute()
        wait(self.setting.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self._compute()
        self.graph = graph
        # Back to the start: the warm-up trained.
        self.network.load_state_dict(weights)
        for state in self.optimizer.state.values():
            for value in state.values():
                value.zero_()

    def __call__(self, batch: Batch) -> None:
        """One step; graphed, on its own stream, and without waiting for it."""
        if self.graph is None:
            self.inputs = batch
            self._compute()
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for own, x in zip(self.inputs, batch, strict=True):
                own.copy_(x)
            self.graph.replay()


def calls_per_second(call: Callable[[], None], device: torch.device, seconds: float) -> float:
    """Calls a second, in fives, over about so many seconds; the caller has warmed up."""
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(5):
            call()
        calls += 5
        wait(device)
    return calls / (time.perf_counter() - began)


def steps_per_second(setting: Setting, steps: list[Step], seconds: float) -> float:
    """Rounds of all steps a second, of one batch each."""
    batch = setting.batch(1)

    def one_round() -> None:
        for step in steps:
            step(batch)

    one_round()
    wait(setting.device)
    return calls_per_second(one_round, setting.device, seconds)


def same_bits(setting: Setting, a: Step, others: list[Step], *, count: int = 5) -> bool:
    """Whether steps end at the same weights, when others take theirs at the same time."""
    for number in range(count):
        batch = setting.batch(number)
        for step in (a, *others):
            step(batch)
    wait(setting.device)
    return all(
        torch.equal(p, q)
        for other in others
        for p, q in zip(a.parameters, other.parameters, strict=True)
    )


@contextmanager
def diffusers_upsampling(setting: Setting) -> Iterator[None]:
    """Within the block, new U-Nets upsample by interpolation, as diffusers does."""
    from leavekout.models import unet

    ours = unet._Upsample.forward
    try:
        unet._Upsample.forward = Upsample2D.forward  # type: ignore[method-assign]
        yield
    finally:
        unet._Upsample.forward = ours  # type: ignore[method-assign]


def compiled_steps_per_second(setting: Setting, seconds: float) -> tuple[float, float]:
    """Steps a second of the training loop's compiled forward and backward pass; seconds to compile.

    Compiled or not as the training says; clipping and the optimizer are left out.
    """
    denoiser, process, batch = setting.denoiser(), setting.process, setting.batch(1)
    x0, t, noise, text = batch
    began = time.perf_counter()
    compiled = setting.device.type == "cuda"
    with (
        products(setting.training.precision),
        ready_to_train(
            denoiser, process, setting.data, setting.training, compiled=compiled
        ) as forward,
    ):

        def step() -> None:
            denoiser.zero_grad()
            with arithmetic(setting.training.precision, setting.device):
                loss = denoising_loss(forward, process, x0, t, noise, text).mean()
            loss.backward()

        step()
        wait(setting.device)
        ready = time.perf_counter() - began
        return calls_per_second(step, setting.device, seconds), ready


GROUPS = {
    "attention": ("attention", "softmax", "bmm"),
    "convolutions, backward": ("convolution_backward", "conv_backward", "wgrad", "dgrad"),
    "convolutions, forward": ("conv", "mkldnn_convolution"),
    "matrix products": ("mm", "linear", "gemm"),
    "norms": ("norm",),
    "optimizer and clipping": ("adam", "foreach"),
}


def time_by_group(setting: Setting) -> dict[str, float]:
    """The share of each kind of operation in the time of a step that is not compiled."""
    step, batch = Step(setting), setting.batch(1)
    step(batch)
    on_gpu = setting.device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=kinds) as profiled:
        for _ in range(3):
            step(batch)
        wait(setting.device)
    totals: dict[str, float] = {}
    for event in profiled.key_averages():
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        name = event.key.lower()
        group = next((g for g, marks in GROUPS.items() if any(m in name for m in marks)), "other")
        totals[group] = totals.get(group, 0.0) + own
    whole = sum(totals.values()) or 1.0
    return {group: t / whole for group, t in sorted(totals.items(), key=lambda item: -item[1])}


def resumed_bits(setting: Setting) -> bool:
    """Whether a training that is stopped and goes on ends at the weights of one that is not."""
    config = setting.training.model_copy(
        update={
            "epochs": max(1, 20 * setting.training.batch_size // setting.data.images),
            "when_removing": "keep_steps",
        }
    )

    def trained(state: Path, stop_at: int | None) -> Denoiser:
        def on_step(step: int, loss: Tensor) -> None:
            if step == stop_at:
                raise _Stopped

        denoiser = build_denoiser(setting.model, seed=0, device=setting.device)
        train(
            denoiser,
            setting.process,
            setting.data,
            config,
            removed=torch.empty(0, dtype=torch.int64),
            checkpoint=Checkpoint(state, 0 if stop_at is not None else 1e9),
            compiled=setting.device.type == "cuda",
            on_step=on_step,
        )
        return denoiser

    with tempfile.TemporaryDirectory() as folder:
        whole = trained(Path(folder) / "whole", None)
        broken = Path(folder) / "broken"
        with suppress(_Stopped):
            trained(broken, 7)
        resumed = trained(broken, None)
    pairs = zip(whole.parameters(), resumed.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def sampler_check(setting: Setting) -> tuple[float, float, bool]:
    """Seconds of a sampler's step as it is and replayed, and whether the pictures' bits agree."""
    from leavekout.config.experiment import Sampling
    from leavekout.models import sampling

    flow = setting.model.flow_matching is not None
    config = Sampling(sampler="euler" if flow else "ddim", steps=20, guidance=2.0, clip_x0=None)
    denoiser, text = setting.denoiser(), setting.batch(0)[3][:1]
    null = np.zeros(text.shape[1:], np.float32)

    def timed() -> tuple[float, Tensor]:
        began = time.perf_counter()
        found = sampling.sample_latents(denoiser, setting.process, config, text, null, [5])
        wait(setting.device)
        return (time.perf_counter() - began) / config.steps, found

    timed()
    replayed, a = timed()
    before: Callable[..., Any] = sampling.replayed
    try:
        sampling.replayed = lambda function, *inputs: function
        plain, b = timed()
    finally:
        sampling.replayed = before
    return plain, replayed, torch.equal(a, b)
