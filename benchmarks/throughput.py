"""Samples a second of the three heavy steps at COCO's architecture, beside references.

    PYTHONPATH=workflow/scripts python benchmarks/throughput.py [--batch 128] [--seconds 20]

On the device at hand (a GPU if there is one) it measures, in turns, so that a drifting machine
does not favour one:

- training (forward, backward, AdamW), the loss sweep (forward), and the per-sample Fisher of the
  cross-attention keys and values, in bfloat16 autocast on a GPU and float32 on a CPU, on data that
  lies on the device;
- the Fisher by one backward pass for each sample, the reference for ours;
- the rate of a large matrix product, the reference for all: DESIGN asks for a third of it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from leavekout.experiment import read_yaml, resolve
from leavekout.loss import ddpm_loss
from leavekout.per_sample import per_sample_gradients
from leavekout.unet import build_scheduler, build_unet, select_weights

CONFIG = Path(__file__).resolve().parent.parent / "config" / "coco.yaml"


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP a second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.randn(n, n, device=device, dtype=dtype)
    return 2 * n**3 / timed(lambda: a @ a, device)


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
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20, help="time given to each round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = resolve(read_yaml(CONFIG), [CONFIG]).model
    unet = build_unet(model.unet, seed=0, device=device)
    scheduler = build_scheduler(model.noise_schedule)
    weights = select_weights(unet, "cross_attention_kv")
    optimizer = torch.optim.AdamW(unet.parameters(), 1e-4, fused=True)
    batch = arguments.batch
    x0, noise = (torch.randn(batch, 4, 16, 16, device=device) for _ in range(2))
    text = torch.randn(batch, 77, 1024, device=device)
    t = torch.randint(1000, (batch,), device=device)

    def losses(stop: int = batch) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            return ddpm_loss(unet, scheduler, x0[:stop], t[:stop], noise[:stop], text[:stop])

    def training() -> None:
        optimizer.zero_grad()
        losses().mean().backward()
        optimizer.step()

    def sweep() -> None:
        with torch.no_grad():
            losses()

    def fisher(stop: int = batch) -> None:
        with per_sample_gradients(unet, weights) as gradients:
            losses(stop).sum().backward()
        for gradient in gradients.values():
            gradient.square().sum(0)

    def fisher_sample_by_sample() -> None:
        torch.autograd.grad(losses(1).sum(), list(weights.values()))

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        losses()
    forward = counter.get_total_flops() / batch
    # A backward pass costs about two forward passes.
    steps = {
        "training": (training, batch, 3 * forward),
        "loss sweep": (sweep, batch, forward),
        "per-sample Fisher": (fisher, batch, None),
        "Fisher, sample by sample": (fisher_sample_by_sample, 1, None),
    }
    for step, _, _ in steps.values():
        step()
    rates: dict[str, list[float]] = {name: [] for name in [*steps, "matmul"]}
    for _ in range(arguments.rounds):
        rates["matmul"].append(max(matmul_rate(device, dtype) for _ in range(5)))
        for name, (step, samples, _) in steps.items():
            deadline, times = time.monotonic() + arguments.seconds / len(steps), list[float]()
            while not times or time.monotonic() < deadline:
                times.append(timed(step, device))
            rates[name].append(samples / statistics.median(times))
    name = (
        torch.cuda.get_device_name()
        if device.type == "cuda"
        else f"{torch.get_num_threads()} CPU threads"
    )
    peak = statistics.median(rates["matmul"])
    print(f"{name}, batch {batch}, {forward / 1e9:.2f} GFLOP a forward pass")
    print(f"{'matrix product':26} {peak / 1e12:10.2f} TFLOP/s")
    for label, (_, _, flop) in steps.items():
        rate = statistics.median(rates[label])
        share = f"{100 * rate * flop / peak:5.1f} % of the matrix rate" if flop else ""
        print(f"{label:26} {rate:10.1f} samples/s  {share}")
    ratio = statistics.median(
        a / b
        for a, b in zip(rates["per-sample Fisher"], rates["Fisher, sample by sample"], strict=True)
    )
    print(f"The per-sample Fisher is {ratio:.1f} times as fast as sample by sample.")


if __name__ == "__main__":
    main()
