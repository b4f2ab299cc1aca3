"""Operations and memory traffic of a training step at COCO's architecture, counted, not timed.

    PYTHONPATH=workflow/scripts python benchmarks/traffic.py

On tensors without values, so it needs no GPU and little memory. The step is forward pass, backward
pass and clipping of a batch, not compiled: each operation reads its inputs and writes its outputs
once. Ours beside a plain loop of diffusers' own U-Net.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from leavekout.config.reading import read_yaml
from leavekout.kinds import read_experiment
from leavekout.models.denoiser import build_denoiser
from leavekout.training.training import clip

CONFIG = Path(__file__).resolve().parent.parent / "config" / "coco.yaml"
META = torch.device("meta")
# They move nothing: another look at the same memory.
VIEWS: tuple[str, ...] = (
    "view",
    "expand",
    "permute",
    "transpose",
    "slice",
    "select",
    "t",
    "unsqueeze",
    "detach",
)
VIEWS += ("split", "chunk", "as_strided", "alias", "squeeze", "unbind", "_unsafe_view", "empty")


class Traffic(TorchDispatchMode):
    """Counts operations, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.bytes = 0, 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        result = function(*arguments, **(options or {}))
        if function.overloadpacket.__name__ not in VIEWS:
            self.operations += 1
            tensors = tree_leaves((arguments, options or {}, result))
            self.bytes += sum(t.nbytes for t in tensors if isinstance(t, Tensor))
        return result


def count(name: str, step: Callable[[], None]) -> None:
    """Prints a line of the table."""
    with Traffic() as traffic:
        step()
    with FlopCounterMode(display=False) as flop:
        step()
    tera = flop.get_total_flops() / 1e12
    print(f"| {name} | {traffic.operations:,} | {tera:.2f} | {traffic.bytes / 1e9:.1f} |")


def main() -> None:
    """Counts both."""
    e = read_experiment(read_yaml(CONFIG), [CONFIG])
    batch, limit = e.training.batch_size, e.training.gradient_clip
    x, target = (torch.empty(batch, 4, 16, 16, device=META) for _ in range(2))
    t, text = torch.empty(batch, device=META), torch.empty(batch, 77, 1024, device=META)
    with torch.device(META):
        plain = UNet2DConditionModel(**e.model.unet)
        ours = build_denoiser(e.model, seed=0, device=META)
    optimizer: Any = torch.optim.AdamW(ours.parameters())

    def plain_step() -> None:
        (plain(x, t, text).sample - target).square().mean().backward()
        nn.utils.clip_grad_norm_(plain.parameters(), limit or 1.0)

    def our_step() -> None:
        with ours.shared_text() as keys_and_values:
            (ours(x, t, keys_and_values(text)) - target).square().mean().backward()
        clip(optimizer, list(ours.parameters()), limit)

    print("| step | operations | TFLOP | GB read and written |\n|---|---|---|---|")
    count("diffusers' U-Net", plain_step)
    count("ours", our_step)


if __name__ == "__main__":
    main()
