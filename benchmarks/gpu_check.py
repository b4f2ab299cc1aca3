"""What the first half hour on a GPU should answer, in one command of at most 25 minutes.

    make gpu-check

At COCO's architecture: rates of every heavy step, and the questions on which the next changes hang:

1. a compiled training step, with our upsampling and with diffusers';
2. whether any CUDA graph was skipped;
3. where the time of a step goes;
4. two models on two streams, each step one graph, beside one.

Then bits: a graphed step against one that is not, two streams against one, a resumed training
against one that was not stopped, a replayed sampler against one that is not; and how long coco-day
takes here. The last lines are for `hardware.estimates`, and the table for docs/performance.md. On a
CPU it runs with digits' architecture and says what only a GPU can show.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_gather import gather_rates
from gpu_steps import (
    Setting,
    Step,
    compiled_steps_per_second,
    diffusers_upsampling,
    resumed_bits,
    same_bits,
    sampler_check,
    steps_per_second,
    time_by_group,
)
from gpu_study import cost_here, measured_rates
from measuring import matrix_rate, peak_mb, reset_peak

from leavekout.base.errors import InputError
from leavekout.base.job import device_name
from leavekout.data.encoded import EncodedData
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import operations

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 25 * 60


def setting_of(experiment: Any, device: torch.device) -> Setting:
    """Made-up data of an experiment's shapes."""
    geometry, drawn = experiment.model, np.random.default_rng(0)
    arguments = geometry.arguments
    side, coco = int(arguments["sample_size"]), experiment.dataset.source == "archives"
    tokens, width = (77, 1024) if coco else (16, 64)
    images = 1024 if device.type == "cuda" else 128
    data = EncodedData(
        drawn.standard_normal((images, 2, 4, side, side), np.float32).astype(np.float16),
        drawn.standard_normal((images, 5, tokens, width), np.float32).astype(np.float16),
        np.zeros((tokens, width), np.float16),
        np.arange(images),
        device=device,
        room_gb=10,
    )
    on_gpu = device.type == "cuda"
    training = experiment.training.model_copy(
        update={} if on_gpu else {"batch_size": 16, "precision": "float32"}
    )
    return Setting(experiment.model, training, data, device)


class Report:
    """Prints each answer when it is there, and skips what no time is left for."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def ask(self, what: str, question: Callable[[], str]) -> None:
        """An answer, or in words why there is none."""
        if time.monotonic() - self.began > LIMIT_SECONDS - 60:
            print(f"- {what}: not asked, the time is up", flush=True)
            return
        try:
            answer = question()
        except InputError as error:
            answer = f"refused: {error}"
        except (RuntimeError, NotImplementedError) as error:  # of CUDA: the next question stands
            answer = f"FAILED: {str(error).splitlines()[0]}"
        print(f"- {what}: {answer}", flush=True)


def main() -> None:
    """Asks, and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20, help="of each timing")
    parser.add_argument("--gigabytes", type=float, default=4, help="of the file that is read")
    arguments = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    torch.use_deterministic_algorithms(True)
    file = ROOT / "config" / ("coco.yaml" if on_gpu else "digits-base.yaml")
    experiment = read_experiment({}, [file])
    setting, report = setting_of(experiment, device), Report()
    size, seconds = setting.training.batch_size, arguments.seconds
    print(f"# {device_name(device)}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}")
    if not on_gpu:
        print("# A CPU: digits' architecture; no streams, no graphs. Only a GPU's answers count.")
    flop = 3 * operations(setting.model, setting.data.text.shape[2])
    peak = matrix_rate(setting.training.precision, device)
    print(f"# A large matrix product: {peak / 1e12:.3g} TFLOP/s, {setting.training.precision}")

    def compiled() -> str:
        rate, ready = compiled_steps_per_second(setting, seconds)
        with diffusers_upsampling(setting):
            other, _ = compiled_steps_per_second(setting, seconds)
        share = rate * size * flop / peak
        return (
            f"{1000 / rate:.2f} ms, {rate * size:,.0f} samples/s ({share:.0%} of the product's "
            f"rate), ready after {ready:.0f} s; with diffusers' upsampling {1000 / other:.2f} ms"
        )

    def skipped() -> str:
        from torch._dynamo.utils import counters

        return f"{counters['inductor']['cudagraph_skips']} skipped"

    def groups() -> str:
        return ", ".join(f"{g} {share:.0%}" for g, share in time_by_group(setting).items())

    def streams() -> str:
        reset_peak(device)
        one = steps_per_second(setting, [Step(setting, graphed=True)], seconds)
        memory = peak_mb(device)
        pair = [Step(setting, seed=seed, graphed=True) for seed in (0, 1)]
        two = steps_per_second(setting, pair, seconds)
        eager = steps_per_second(setting, [Step(setting)], seconds)
        return (
            f"one graphed {one * size:,.0f} samples/s, two {2 * two * size:,.0f} "
            f"(× {2 * two / one:.2f}), not graphed {eager * size:,.0f}; one takes {memory:,.0f} MB"
        )

    def bits() -> str:
        plain, graphed = Step(setting), Step(setting, graphed=True)
        alone = same_bits(setting, plain, [graphed])
        pair = [Step(setting, graphed=True), Step(setting, graphed=True)]
        together = same_bits(setting, Step(setting), pair)
        return f"graphed {'equal' if alone else 'DIFFER'}, two streams {_said(together)}"

    def sampler() -> str:
        plain, replayed, equal = sampler_check(setting)
        return f"{1e3 * plain:.1f} ms, replayed {1e3 * replayed:.1f} ms, bits {_said(equal)}"

    def study() -> str:
        own = ROOT / "config" / ("coco-day.yaml" if on_gpu else "digits.yaml")
        planned = read_experiment({}, [own])
        rates = measured_rates(setting_of(planned, device), planned, seconds)
        return cost_here(own, rates)

    def loading() -> str:
        with tempfile.TemporaryDirectory() as folder:
            rates = gather_rates(device, Path(folder), arguments.gigabytes)
        return ", ".join(f"{name} {rate:,.1f}" for name, rate in rates.items())

    report.ask("1. a training step, compiled" if on_gpu else "1. a training step", compiled)
    report.ask("2. CUDA graphs", skipped)
    report.ask("3. time of a step that is not compiled", groups)
    report.ask("4. two models on two streams", streams)
    report.ask("bits of a step", bits)
    report.ask("bits of a resumed training", lambda: _said(resumed_bits(setting)))
    report.ask("a sampler's step of one picture", sampler)
    report.ask("a study here", study)
    report.ask("text states of COCO's size, samples a second", loading)
    if on_gpu:  # every heavy step beside the plain loop; the last lines are for the configuration
        left = LIMIT_SECONDS - (time.monotonic() - report.began)
        script = [sys.executable, str(ROOT / "benchmarks" / "throughput.py"), "--rounds", "1"]
        try:
            subprocess.run(script, timeout=max(60, left), check=True)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            print(f"- benchmarks/throughput.py: stopped ({error}); run `make benchmark`")


def _said(equal: bool) -> str:
    return "equal" if equal else "DIFFER"


if __name__ == "__main__":
    main()
