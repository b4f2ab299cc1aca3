"""Small trainings, and whether two of them gave the same weights."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from leavekout.training.training import train_from_scratch
from world import MODEL, TRAINING, make_data


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


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
