"""Projected per-sample gradients a second: ours beside traker's own, at equal dimension.

    PYTHONPATH=workflow/scripts python benchmarks/gradients.py [--experiment digits] [--weights all]

In turns, so that a drifting machine does not favour one, on the device at hand:

- ours: per-sample gradients from layers' inputs and output gradients, and the Hadamard projection;
- traker's: its `FunctionalGradientComputer` (vmap of functorch) and its `BasicProjector`, which is
  its projector on a CPU; on a GPU, too, unless its CUDA extension is installed.

Gradients and projections are also timed alone. One draw of (t, ε) for each sample, made-up latents
and text of 77 tokens, random weights.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from trak.gradient_computers import FunctionalGradientComputer
from trak.modelout_functions import AbstractModelOutput
from trak.projectors import BasicProjector, ProjectionType
from trak.utils import vectorize

from leavekout.curvature.per_sample import per_sample_gradients
from leavekout.curvature.projection import Projection
from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import build_denoiser, select_weights
from leavekout.models.loss import denoising_loss
from leavekout.models.process import build_process

CONFIG = Path(__file__).resolve().parent.parent / "config"


class _Loss(AbstractModelOutput):
    """The loss of one sample, as traker asks for it."""

    def __init__(self, process: Any) -> None:
        self.process = process

    def get_output(self, model: Any, weights: Any, buffers: Any, *batch: Tensor) -> Tensor:
        x_t, times, target, text = (part[None] for part in batch)
        call = (weights, buffers), (x_t, times, text)
        return (torch.func.functional_call(model, *call) - target).square().mean()

    def get_out_to_loss_grad(self, model: Any, weights: Any, buffers: Any, batch: Any) -> Tensor:
        raise NotImplementedError("scores are not measured here")


def timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--experiment", default="digits", help="whose architecture")
    parser.add_argument("--weights", default="all", help="a weight subset")
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    file = CONFIG / f"{arguments.experiment}.yaml"
    model = read_experiment(read_yaml(file), [file]).model
    denoiser = build_denoiser(model, seed=0, device=device)
    process = build_process(model)
    weights = select_weights(denoiser, arguments.weights)
    names, d = list(weights), sum(w.numel() for w in weights.values())
    batch, p = arguments.batch, arguments.dimension
    x0, noise = (torch.randn(batch, *denoiser.latent_shape, device=device) for _ in range(2))
    text = torch.randn(batch, 77, denoiser.text_width or 1, device=device)
    t = torch.randint(1000, (batch,), device=device)
    ours = Projection(d, p, seed=0, number=0, device=device)
    theirs = BasicProjector(d, p, 0, ProjectionType.normal, device, block_size=100)
    computer = FunctionalGradientComputer(
        denoiser, _Loss(process), d, torch.float32, device, grad_wrt=names
    )

    def our_gradients() -> Tensor:
        with per_sample_gradients(denoiser, names) as gradients:
            denoising_loss(denoiser, process, x0, t, noise, text).sum().backward()
        return torch.cat([gradients[name].flatten(1) for name in names], 1)

    def their_gradients() -> Tensor:
        x_t, target = process.noised(x0, noise, t), process.target(x0, noise)
        found = computer.compute_per_sample_grad((x_t, process.times(t), target, text))
        return vectorize({name: found[name] for name in names}, device=device)

    a, b = our_gradients(), their_gradients()
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    steps: dict[str, Callable[[], Tensor]] = {
        "ours, gradients": our_gradients,
        "traker, gradients": their_gradients,
        "ours, projection": lambda: ours(a),
        "traker, projection": lambda: theirs.project(a, model_id=0),
        "ours, both": lambda: ours(our_gradients()),
        "traker, both": lambda: theirs.project(their_gradients(), model_id=0),
    }
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            rates[name].append(batch / timed(step, device))
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(
        f"{where}, {torch.get_num_threads()} threads, {arguments.experiment}: {d:,} weights "
        f"({arguments.weights}) to {p:,} dimensions, batch {batch}"
    )
    for name, values in rates.items():
        print(f"{name:20} {statistics.median(values):10.1f} samples/s")
    for part in ("gradients", "projection", "both"):
        pairs = zip(rates[f"ours, {part}"], rates[f"traker, {part}"], strict=True)
        print(f"ratio, {part:13} {statistics.median(x / y for x, y in pairs):10.1f}")


if __name__ == "__main__":
    main()
