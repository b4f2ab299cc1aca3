"""Small trainings, and whether two of them gave the same weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.training.training import train, train_from_scratch
from world import CPU, MODEL, TRAINING, make_data


def trained(path: Path, removed: list[int], **changes: Any) -> dict[str, torch.Tensor]:
    denoiser, _ = train_from_scratch(
        make_data(),
        MODEL,
        TRAINING.model_copy(update=changes),
        removed=np.array(removed, dtype=np.int64),
        state=path / "state.safetensors",
        save_state_seconds=1e9,
    )
    return denoiser.state_dict()


def watched(
    state: Path, on_step: Callable[[int, torch.Tensor], None], *, save_state_seconds: float = 1e9
) -> dict[str, torch.Tensor]:
    """The weights of a training that calls `on_step`, which may stop it."""
    denoiser = build_denoiser(MODEL, seed=0, device=CPU)
    train(
        denoiser,
        build_process(MODEL),
        make_data(),
        TRAINING,
        removed=torch.tensor([1]),
        state=state,
        save_state_seconds=save_state_seconds,
        on_step=on_step,
    )
    return denoiser.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
