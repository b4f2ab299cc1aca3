"""Small trainings, and whether two of them gave the same weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leavekout.config.experiment import Training
from leavekout.config.model import Model
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import build_denoiser
from leavekout.models.process import build_process
from leavekout.training.state import Checkpoint
from leavekout.training.training import train, train_from_scratch
from world import CPU, MODEL, TRAINING, make_data

Weights = dict[str, torch.Tensor]


def trained(
    state: Path,
    *,
    removed: tuple[int, ...] = (1,),
    model: Model = MODEL,
    data: EncodedData | None = None,
    config: Training = TRAINING,
    double: bool = False,
    save_state_seconds: float = 1e9,
    **options: Any,
) -> Weights:
    """The weights that `train` ends at; `options` are its own."""
    denoiser = build_denoiser(model, seed=0, device=CPU)
    train(
        denoiser.double() if double else denoiser,
        build_process(model),
        data or make_data(),
        config,
        removed=torch.tensor(removed, dtype=torch.int64),
        checkpoint=Checkpoint(state, save_state_seconds),
        **options,
    )
    return denoiser.state_dict()


def from_scratch(
    state: Path,
    removed: Sequence[int] = (),
    *,
    model: Model = MODEL,
    data: EncodedData | None = None,
    save_state_seconds: float = 1e9,
    **changes: Any,
) -> tuple[Weights, dict[str, Any]]:
    """The weights and notes of `train_from_scratch`; `changes` are of the training's settings."""
    denoiser, notes = train_from_scratch(
        data or make_data(),
        model,
        TRAINING.model_copy(update=changes),
        removed=np.array(removed, dtype=np.int64),
        checkpoint=Checkpoint(state, save_state_seconds),
    )
    return denoiser.state_dict(), notes


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
