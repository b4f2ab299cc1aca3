"""Every heavy step at COCO's architecture, beside a plain implementation in the same run.

    PYTHONPATH=workflow/scripts python benchmarks/throughput.py [--rounds 3]

On made-up latents and text states, on a GPU if there is one: ours and the plain one in turns, so
that a drifting machine does not favour one. Plain is what one writes first with the same libraries:

- training: add noise, U-Net, mean squared error, backward, AdamW, all tensors at hand;
- sweep: one forward pass for each caption, flip and timestep, with its text repeated;
- Fisher: one backward pass for each sample;
- projected gradients: one backward pass for each draw, and one dense matrix product for each layer
  (with one random matrix for all layers of a shape, so that it fits: the time is the same).

Ours are the functions that the workflow's jobs call. Both compute in float32 on a CPU, and the
results are compared; on a GPU both in the configuration's precisions, deterministically, as jobs
do, and our training compiled if it says so.

For each: samples a second; the floating-point operations of a sample, counted; their rate as a
fraction of this machine's large matrix product in the same precision; the peak of memory. At the
end, lines for `hardware.estimates`.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import plain
import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import AttnProcessor2_0
from measuring import Step, counted, difference, matrix_rate, once, wait
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from leavekout.base.precision import arithmetic
from leavekout.config.fields import Precision
from leavekout.curvature.fisher import diagonal_fisher
from leavekout.data.encoded import EncodedData
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.train_clip import build_tokenizer
from leavekout.encoders.vae import encode_images
from leavekout.kinds import read_experiment
from leavekout.methods.influence.projector import GradientProjector
from leavekout.models.denoiser import build_denoiser, operations, select_weights
from leavekout.models.process import build_process
from leavekout.sweeps.gradients import training_gradients
from leavekout.sweeps.losses import training_losses
from leavekout.training.state import Checkpoint
from leavekout.training.training import train

CONFIG = Path(__file__).resolve().parent.parent / "config" / "coco.yaml"


def set_attention(denoiser: Any) -> None:
    """diffusers' own attention, in place of what we chose."""
    denoiser.set_attn_processor(AttnProcessor2_0())


class Bench:
    """The experiment, its model, and made-up data."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.on_gpu = self.device.type == "cuda"
        self.e = read_experiment({}, [CONFIG])
        self.compiled = self.on_gpu and self.e.hardware.compile
        self.batch = arguments.batch or (2048 if self.on_gpu else 40)
        self.per_sample = 256 if self.on_gpu else 8
        self.images = 256 if self.on_gpu else 2
        self.data = self.made_up(self.images)
        self.denoiser = build_denoiser(self.e.model, seed=0, device=self.device)
        self.process = build_process(self.e.model)
        self.plain_denoiser: Any = build_denoiser(self.e.model, seed=0, device=self.device)
        set_attention(self.plain_denoiser)

    def precision(self, section: Any) -> Precision:
        """What the configuration says for a section; on a CPU float32."""
        return section.precision if self.on_gpu else "float32"

    def made_up(self, images: int) -> EncodedData:
        """Encoded data of COCO's shapes, on the device."""
        drawn = np.random.default_rng(0)
        half = np.float16
        return EncodedData(
            drawn.standard_normal((images, 2, 4, 16, 16)).astype(half),
            drawn.standard_normal((images, 5, 77, 1024), dtype=np.float32).astype(half),
            drawn.standard_normal((77, 1024)).astype(half),
            np.arange(images),
            device=self.device,
            room_gb=100,
        )

    def training(self) -> Step:
        """Ours, from the stream of samples to AdamW; the first steps are left out of the time."""
        size, skip, steps = (128, 30, 226) if self.on_gpu else (16, 1, 3)
        assert self.e.training
        config = self.e.training.model_copy(
            update={
                "batch_size": size,
                "precision": self.precision(self.e.training),
                "when_removing": "keep_steps",
                "epochs": (skip + steps) * size // self.images,
            }
        )
        step = Step("training", lambda: None, steps * size)
        began = 0.0

        def on_step(number: int, loss: Tensor) -> None:
            nonlocal began
            if number == skip - 1:
                wait(self.device)
                began = time.perf_counter()
            elif number == skip + steps - 1:
                wait(self.device)
                step.rates.append(step.samples / (time.perf_counter() - began))

        def run() -> None:
            denoiser = build_denoiser(self.e.model, seed=0, device=self.device)
            with tempfile.TemporaryDirectory() as folder:
                train(
                    denoiser,
                    self.process,
                    self.data,
                    config,
                    removed=torch.empty(0, dtype=torch.int64),
                    checkpoint=Checkpoint(Path(folder) / "state"),
                    compiled=self.compiled,
                    on_step=on_step,
                )

        step.run = run
        return step

    def plain_training(self) -> Step:
        """The plain loop."""
        size, steps = (128, 100) if self.on_gpu else (16, 3)
        x0 = torch.randn(size, 4, 16, 16, device=self.device)
        text = torch.randn(size, 77, 1024, device=self.device)
        denoiser = build_denoiser(self.e.model, seed=0, device=self.device)
        set_attention(denoiser)
        options: Any = {"steps": steps, "precision": self.precision(self.e.training)}
        return Step(
            "training, plain",
            lambda: plain.train(denoiser, self.process, x0, text, **options),
            size * steps,
        )

    def sweep(self) -> Step:
        """Ours."""
        config = self.e.losses.model_copy(update={"precision": self.precision(self.e.losses)})
        samples = self.images * 2 * 5 * len(self.process.strided_timesteps(50))

        def run() -> np.ndarray:
            denoiser, data = self.denoiser, self.data
            return training_losses(denoiser, self.process, data, config, batch=self.batch)

        return Step("sweep", run, samples)

    def plain_sweep(self) -> Step:
        """The plain loop, over fewer images."""
        images = 40 if self.on_gpu else 1
        config = self.e.losses.model_copy(update={"precision": self.precision(self.e.losses)})
        options: Any = {"images": images, "batch": self.batch}
        return Step(
            "sweep, plain",
            lambda: plain.sweep(self.plain_denoiser, self.process, self.data, config, **options),
            images * 2 * 5 * 20,
        )

    def fisher(self) -> Step:
        """Ours."""
        samples = 16 * self.per_sample if self.on_gpu else 16
        weights = select_weights(self.denoiser, "cross_attention_kv")

        def run() -> dict[str, Tensor]:
            return diagonal_fisher(
                self.denoiser,
                self.process,
                self.data,
                weights,
                samples=samples,
                seed=0,
                precision=self.precision(self.e.fisher),
                batch=self.per_sample,
            )

        return Step("Fisher", run, samples)

    def plain_fisher(self) -> Step:
        """The plain loop; as many samples as ours on a CPU, for the comparison."""
        samples = 64 if self.on_gpu else 16
        weights = select_weights(self.plain_denoiser, "cross_attention_kv")
        options: Any = {"samples": samples, "precision": self.precision(self.e.fisher)}
        return Step(
            "Fisher, plain",
            lambda: plain.fisher(self.plain_denoiser, self.process, self.data, weights, **options),
            samples,
        )

    def gradients(self, name: str) -> Step:
        """Ours, of an entry of `gradients`."""
        section = self.e.gradients[name]
        config = section.model_copy(update={"precision": self.precision(section)})
        projector = GradientProjector(self.denoiser, config, model_seed=0, device=self.device)
        images = 1 if not self.on_gpu else 2 * self.per_sample // config.draws
        data = self.made_up(images)

        def run() -> None:
            for part in training_gradients(
                self.denoiser, self.process, data, projector, batch=self.per_sample
            ):
                part.cpu()

        return Step(f"gradients '{name}'", run, images * 2 * config.draws)

    def plain_gradients(self) -> Step:
        """DataInf's: of keys and values, 256 dimensions of each layer."""
        config = self.e.gradients["layers"]
        weights = select_weights(self.plain_denoiser, config.weights)
        entries = {w.shape: w.numel() for w in weights.values()}
        rows = 10 if self.on_gpu else 2
        options: Any = {
            "rows": rows,
            "draws": config.draws,
            "matrices": {
                shape: torch.randn(d, config.dimension, device=self.device)
                for shape, d in entries.items()
            },
            "precision": self.precision(config),
        }
        return Step(
            "gradients 'layers', plain",
            lambda: plain.project(self.plain_denoiser, self.process, self.data, weights, **options),
            rows * config.draws,
        )

    def images_to_latents(self) -> Step:
        """The encoder of Stable Diffusion 2's VAE."""
        vae = (
            AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                layers_per_block=2,
                sample_size=128,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
            )
            .to(self.device)
            .eval()
        )
        count = 256 if self.on_gpu else 2
        pixels = np.random.default_rng(0).integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)

        def run() -> None:
            with arithmetic("float32", self.device):
                encode_images(vae, pixels, self.device).cpu()

        return Step("images to latents", run, count)

    def captions_to_states(self) -> Step:
        """The text tower of Stable Diffusion 2."""
        model = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=23,
                num_attention_heads=16,
                max_position_embeddings=77,
                hidden_act="gelu",
            )
        )
        encoder = TextEncoder(build_tokenizer(77), model.to(self.device).eval())
        count = 256 if self.on_gpu else 2
        texts = [f"A picture of {n} things." for n in range(count)]

        def run() -> None:
            with arithmetic("float32", self.device):
                encoder(texts).cpu()

        return Step("captions to states", run, count)

    def precision_of(self, step: Step) -> Precision:
        """What a step's products are in."""
        sections: dict[str, Any] = {
            "training": self.e.training,
            "sweep": self.e.losses,
            "Fisher": self.e.fisher,
            **{f"gradients '{name}'": section for name, section in self.e.gradients.items()},
        }
        section = sections.get(step.name.removesuffix(", plain"))
        return "float32" if section is None else self.precision(section)


def main() -> None:
    """Counts, compares, times in turns, and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, help="of the sweep; default 2048, on a CPU 40")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    bench = Bench(arguments := parser.parse_args())
    pairs = [
        (bench.training(), bench.plain_training()),
        (bench.sweep(), bench.plain_sweep()),
        (bench.fisher(), bench.plain_fisher()),
        (bench.gradients("layers"), bench.plain_gradients()),
    ]
    alone = [bench.gradients("loss"), bench.images_to_latents(), bench.captions_to_states()]
    steps = [step for pair in pairs for step in pair] + alone
    print("largest relative difference of ours to plain, before any training:")
    for ours, reference in pairs:
        a, b = counted(ours), counted(reference)
        if a is not None and b is not None:
            print(f"  {ours.name}: {difference(a, b):.1e}")
    for step in alone:
        counted(step)
    forward = operations(bench.e.model, 77)
    pairs[0][0].flop = pairs[0][1].flop = 3 * forward  # a backward pass costs two forward passes
    peaks: dict[Precision, list[float]] = {bench.precision_of(step): [] for step in steps}
    for _ in range(arguments.rounds):
        for precision, rates in peaks.items():
            rates.append(matrix_rate(precision, bench.device))
        for step in steps:
            once(step, bench.device)
    peak = {precision: statistics.median(rates) for precision, rates in peaks.items()}
    name = (
        torch.cuda.get_device_name() if bench.on_gpu else f"{torch.get_num_threads()} CPU threads"
    )
    print(f"\n{name}; a large matrix product, in TFLOP/s:")
    print(", ".join(f"{1e-12 * rate:.3f} in {precision}" for precision, rate in peak.items()), "\n")
    print("| step | samples/s | GFLOP a sample | of the matrix rate | peak memory, GB | × plain |")
    print("|---|---|---|---|---|---|")
    ratios = {
        ours.name: statistics.median(a / b for a, b in zip(ours.rates, other.rates, strict=True))
        for ours, other in pairs
    }
    for step in steps:
        rate = statistics.median(step.rates)
        ratio = f"{ratios[step.name]:.2f}" if step.name in ratios else ""
        share, memory = (
            rate * step.flop / peak[bench.precision_of(step)],
            1e-3 * max(step.memory_mb),
        )
        flop = 1e-9 * step.flop
        print(f"| {step.name} | {rate:.3g} | {flop:.2f} | {share:.0%} | {memory:.1f} | {ratio} |")
    rate_of = {step.name: statistics.median(step.rates) for step in steps}
    print("\nhardware.estimates by these figures:")
    for key, of in (
        ("training_per_second", "training"),
        ("forward_per_second", "sweep"),
        ("gradients_per_second", "Fisher"),
        ("encoding_per_second", "captions to states"),
    ):
        print(f"  {key}: {rate_of[of]:.3g}")


if __name__ == "__main__":
    main()
