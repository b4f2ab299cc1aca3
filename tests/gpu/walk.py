"""Walks every heavy step at COCO's size on pretended CUDA tensors: shapes, types and devices.

Run by test_walk.py in a process with the pretended runtime. Nothing is computed. Prints a line for
each step: its name, and `ok` with the memory that it takes, or what went wrong.

    python tests/gpu/walk.py config/coco.yaml cuda ["name of a step" ...]
"""

import gc
import sys
import traceback
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from leavekout.curvature import ekfac, fisher, projection
from leavekout.data.encoded import EncodedData, Samples
from leavekout.kinds import read_experiment
from leavekout.methods.ekfac_influence.products import Products
from leavekout.methods.influence.projector import GradientProjector
from leavekout.methods.unlearning import steps
from leavekout.methods.unlearning.readout import read_out
from leavekout.methods.unlearning.settings import Unlearning
from leavekout.models import loss, sampling
from leavekout.models.denoiser import Denoiser, build_denoiser, select_weights
from leavekout.models.process import build_process
from leavekout.queries.loading import Queries
from leavekout.sweeps import gradients, losses
from leavekout.sweeps.passes import passes_of
from leavekout.training import state, stream, training

GPU = torch.device("cuda")
MODE = FakeTensorMode(allow_non_fake_inputs=True)
IMAGES, SHAPE, TEXT = 118_287, (4, 16, 16), (77, 1024)


def real(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on real tensors, among fake ones."""

    def call(*arguments: Any, **options: Any) -> Any:
        with unset_fake_temporarily():
            return function(*arguments, **options)

    return call


def fake(value: Any) -> Any:
    """A tensor as a fake one; anything else as it is."""
    return MODE.from_tensor(value) if isinstance(value, Tensor) else value


class FakeArray:
    """A `DeviceArray` on a device."""

    dtype = torch.float32

    def __init__(self, device: torch.device, *shape: int) -> None:
        self.device, self.shape = device, shape

    def keep(self) -> None:
        """All rows are there."""

    def __getitem__(self, index: tuple[Tensor, ...]) -> Tensor:
        rows = torch.broadcast_shapes(*(part.shape for part in index))
        return torch.empty(*rows, *self.shape[len(index) :], device=self.device)


def fake_data(text_on: torch.device) -> EncodedData:
    """COCO's encoded training set; its text states may be where they should not be."""
    data: Any = EncodedData.__new__(EncodedData)
    data.latents = FakeArray(GPU, IMAGES, 2, *SHAPE)
    data.text = FakeArray(text_on, IMAGES, 5, *TEXT)
    data.null_text = torch.empty(*TEXT, device=GPU)
    data.image_ids = torch.arange(IMAGES)
    data.held_out = torch.empty(0, dtype=torch.int64)
    data.device, data.fingerprint = GPU, ""
    data.images, data.flips, data.captions, data.latent_shape = IMAGES, 2, 5, SHAPE
    found: EncodedData = data
    return found


def pretend() -> None:
    """Puts real random draws, and no threads or files, where fake tensors cannot go."""
    draw, start = stream.Stream.samples, stream.Stream.__init__

    def samples(self: Any, first: int, last: int) -> Samples:
        found = real(draw)(self, first, last)
        return Samples(**{name: fake(value) for name, value in vars(found).items()})

    def init(self: Any, **options: Any) -> None:
        options["removed"] = torch.empty(0, dtype=torch.int64)
        start(self, **options)

    stream.Stream.samples, stream.Stream.__init__ = samples, real(init)  # type: ignore[assignment]
    training.prefetch = losses.prefetch = gradients.prefetch = lambda items, device: iter(items)
    training.training_identity = lambda *_, **__: "fake"
    training._require_finite = lambda *_: None
    project = projection.Projection.__init__

    def on_cpu(self: Any, *sizes: int, device: Any, **key: int) -> None:
        real(project)(self, *sizes, device=torch.device("cpu"), **key)
        self.signs, self.rows = fake(self.signs).to(device), fake(self.rows).to(device)

    projection.Projection.__init__ = on_cpu  # type: ignore[method-assign]
    sampling.replayed = lambda function, *inputs: function
    # All fake tensors have the address 0, by which layers with one input would be found.
    FakeTensor.data_ptr = lambda self: self.untyped_storage()._cdata  # type: ignore[method-assign]

    def to(self: Any, *where: Any, memory_format: Any = None, **options: Any) -> Any:
        """Weights are made where they belong; a module of fakes cannot swap them."""
        for module in self.modules() if memory_format else ():
            for name, p in module.named_parameters(recurse=False):
                if p.dim() == 4:
                    laid_out = p.detach().contiguous(memory_format=memory_format)
                    setattr(module, name, torch.nn.Parameter(laid_out))
        return self

    Denoiser.to = to  # type: ignore[method-assign]


class Peak(TorchDispatchMode):
    """Counts the bytes of tensors that exist on the GPU at once, without kernels' own scratch."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.seen = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.device.type == "cuda":
                self._add(tensor.untyped_storage())
        return out

    def _add(self, storage: Any) -> None:
        if storage not in self.seen:
            size = storage.nbytes()
            self.seen[storage] = size
            weakref.finalize(storage, self._free, size)
            self.now += size
            self.most = max(self.most, self.now)

    def _free(self, size: int) -> None:
        self.now -= size


class Enough(Exception):
    """Two steps are enough."""


def steps_of(config: Path, text_on: torch.device) -> dict[str, Callable[[], Any]]:
    """Every heavy step of an experiment, at its batch sizes."""
    e = read_experiment({}, [config])
    process = real(build_process)(e.model)
    if hasattr(process, "scheduler"):
        process.scheduler.alphas_cumprod = fake(process.scheduler.alphas_cumprod)
    else:
        process.t = fake(process.t)
    with torch.device(GPU):
        denoiser = build_denoiser(e.model, seed=0, device=GPU)
    data, weights = fake_data(text_on), select_weights(denoiser, "cross_attention_kv")
    latent, text = torch.empty(*SHAPE, device=GPU), torch.empty(*TEXT, device=GPU)
    batch = e.hardware

    def train() -> None:
        def on_step(step: int, loss: Tensor) -> None:
            if step == 1:
                raise Enough

        options: Any = {"checkpoint": state.Checkpoint(Path("nowhere.safetensors"))}
        options |= {"removed": data.held_out, "on_step": on_step}
        try:
            training.train(denoiser, process, data, e.training, **options)
        except Enough:
            return
        raise AssertionError("the training ended by itself")

    def sweep_images() -> None:
        parts = losses.pass_losses(
            denoiser, process, data, passes_of(e.losses, process), batch=batch.forward_batch
        )
        first = next(parts)
        assert first.shape[1:] == (2, 100)
        passes = passes_of(e.losses, process)
        parts_of_scores = read_out(first, torch.empty(first.shape), passes, "skew")
        assert parts_of_scores.shape[1:] == (2, 2)
        assert parts_of_scores.device.type == "cuda"
        assert first.device.type == "cuda"

    def curvature(
        estimate: Callable[..., dict[str, Tensor]], weights: dict[str, Any] = weights
    ) -> Callable[[], None]:
        def run() -> None:
            size = batch.per_sample_batch
            options: Any = {"samples": size, "batch": size, "precision": e.fisher.precision}
            found = estimate(denoiser, process, data, weights, seed=0, **options)
            assert {value.device.type for value in found.values()} == {"cuda"}
            assert {value.dtype for value in found.values()} == {torch.float32}

        return run

    def query() -> None:
        found = steps.query_gradient(
            denoiser,
            process,
            weights,
            Queries(["q000"], [5], latent[None], text[None], [0]),
            Unlearning(gradient_samples=batch.gradient_batch),
            step=0,
            batch=batch.gradient_batch,
        )
        shapes = {name: weight.shape for name, weight in weights.items()}
        assert {name: g.shape for name, g in found.items()} == shapes

    def first_rows(reduced: Any, *shape: int) -> None:
        rows = gradients.training_gradients(
            denoiser, process, data, reduced, batch=batch.per_sample_batch
        )
        first = next(rows)
        assert first.shape[1:] == (2, 2, *shape)
        assert first.device.type == "cuda"

    def project(name: str) -> None:
        config = e.gradients[name]
        projector = GradientProjector(denoiser, config, model_seed=0, device=GPU)
        first_rows(projector, len(projector.entries), config.dimension)

    def products() -> None:
        config = e.ekfac_influence["fmas"]
        matrices = select_weights(denoiser, config.weights)
        entries = sum(weight.numel() for weight in matrices.values())
        directions = torch.empty(4, entries, device=GPU)
        first_rows(Products(denoiser, config, directions), 1, 4)

    def losses_of_queries() -> None:
        tensors: Any = Tensor
        numpy, tensors.numpy = tensors.numpy, lambda self: np.empty(self.shape)  # of a fake
        try:
            queries = latent.expand(120, *SHAPE), text.expand(120, *TEXT), torch.arange(120)
            timesteps = process.strided_timesteps(e.evaluation.timestep_stride)
            options: Any = {"timesteps": timesteps, "seed": 0, "batch": batch.forward_batch}
            loss.query_losses(denoiser, process, *queries, **options)
        finally:
            tensors.numpy = numpy

    def one_prediction_of_the_sampler() -> None:
        with torch.no_grad(), denoiser.shared_text() as keys_and_values:
            shared = keys_and_values(text.expand(220, *TEXT))
            times = torch.empty((), device=GPU)
            found = denoiser(latent.expand(220, *SHAPE), times, shared)
        assert found.shape == (220, *SHAPE)

    matrices = select_weights(denoiser, e.ekfac_influence["fmas"].weights)
    return {
        "training": train,
        "sweep": sweep_images,
        "Fisher": curvature(fisher.diagonal_fisher),
        "EK-FAC": curvature(ekfac.ekfac, matrices),
        "Gauss-Newton": curvature(partial(ekfac.ekfac, objective=ekfac.gauss_newton), matrices),
        "products of gradients": products,
        "gradient of a query": query,
        **{f"gradients '{name}'": partial(project, name) for name in e.gradients},
        "losses of queries": losses_of_queries,
        "sampling": one_prediction_of_the_sampler,
    }


def main() -> None:
    """Walks, and prints."""
    pretend()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    with MODE, Peak() as peak:
        steps = steps_of(Path(sys.argv[1]), torch.device(sys.argv[2]))
        print(f"weights: ok, {peak.now / 1e9:.2f} GB", flush=True)
        for name, step in steps.items():
            if sys.argv[3:] and name not in sys.argv[3:]:
                continue
            gc.collect()
            peak.most = peak.now
            try:
                step()
                print(f"{name}: ok, {peak.most / 1e9:.2f} GB", flush=True)
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {error}", flush=True)
                traceback.print_exc()


if __name__ == "__main__":
    main()
