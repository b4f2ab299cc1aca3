"""Checkpoints: saves the state of a training, and resumes from it."""

import hashlib
import json
import logging
import math
from collections import deque
from pathlib import Path

import torch
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.base.job import device_name
from leavekout.base.tensors import load_tensors, save_tensors
from leavekout.config.experiment import Training
from leavekout.data.encoded import EncodedData
from leavekout.models.denoiser import Denoiser
from leavekout.models.process import Process
from leavekout.training import TRAINING_LOOP

logger = logging.getLogger("leavekout")


def training_identity(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: Training,
    removed: Tensor,
    *,
    compiled: bool,
) -> str:
    """Digest of all that a training's result depends on. A saved state is used only if it agrees.

    The last bits of a result also depend on the GPU's model and on compilation.
    """
    settings = [
        denoiser.settings,
        process.settings,
        config.model_dump(),
        {"compiled": compiled, "device": device_name(data.device)},
    ]
    content = [TRAINING_LOOP, settings, data.images, data.fingerprint, removed.tolist()]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def save_state(
    denoiser: Denoiser,
    optimizer: torch.optim.Optimizer,
    losses: deque[Tensor],
    path: Path,
    identity: str,
    step: int,
) -> None:
    """Writes the weights, AdamW's moments and the last losses after `step` steps."""
    tensors: dict[str, Tensor] = {f"parameter/{name}": p for name, p in denoiser.named_parameters()}
    tensors["losses"] = torch.stack([*losses])
    for number, slot in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{key}": value for key, value in slot.items()}
    notes = {"identity": identity, "step": step, "device": _device_of(denoiser)}
    save_tensors(path, tensors, notes)


def resume(
    denoiser: Denoiser,
    optimizer: torch.optim.Optimizer,
    losses: deque[Tensor],
    path: Path,
    identity: str,
) -> int:
    """Restores a saved state of the same training, if there is one; returns the next step."""
    if not path.exists():
        return 0
    try:
        tensors, notes = load_tensors(path)
    except InputError as error:
        logger.warning("The saved state is not used: %s", error)
        return 0
    if notes["identity"] != identity:
        ours, theirs = _device_of(denoiser), notes.get("device", "an older version")
        reason = "the configuration changed" if ours == theirs else f"from {theirs}, not {ours}"
        logger.warning("%s is from another training (%s); starting again", path, reason)
        return 0
    with torch.no_grad():
        for name, parameter in denoiser.named_parameters():
            parameter.copy_(tensors[f"parameter/{name}"])
    unknown = torch.tensor([math.nan])  # in states of older versions
    losses.extend(tensors.get("losses", unknown).to(next(denoiser.parameters()).device))
    content = optimizer.state_dict()
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, number, key = name.split("/")
            content["state"].setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict(content)
    for parameter in denoiser.parameters():
        for key, value in optimizer.state[parameter].items():
            if value.shape == parameter.shape:  # the fused step needs the parameter's layout
                optimizer.state[parameter][key] = torch.empty_like(parameter.data).copy_(value)
    return int(notes["step"])


def _device_of(denoiser: Denoiser) -> str:
    return device_name(next(denoiser.parameters()).device)
