"""Checkpoints: saves the state of a training, and resumes from it."""

import hashlib
import json
import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often the state of a training is saved.

    Args:
        path: the state's file, which the caller deletes after writing its output.
        every_seconds: between two saves.
        on_any_gpu: whether a training may resume on another model of GPU than it began on.
    """

    path: Path
    every_seconds: float = 1e9
    on_any_gpu: bool = False

    @classmethod
    def beside(cls, output: Path, resources: Any) -> "Checkpoint":
        """That of a job, in a hidden place beside its output."""
        path = output.with_name(f"{output.stem}.state.safetensors")
        return cls(path, resources.checkpoint_seconds, bool(resources.resume_on_any_gpu))

    def delete(self) -> None:
        """Deletes the state of a training that has ended."""
        self.path.unlink(missing_ok=True)


def training_identity(
    denoiser: Denoiser,
    process: Process,
    data: EncodedData,
    config: Training,
    removed: Tensor,
    *,
    compiled: bool,
) -> str:
    """Digest of all that a training's result depends on, but for the model of the GPU.

    A saved state is used only if it agrees. Compilation changes the last bits of a result.
    """
    settings = [
        denoiser.settings,
        process.settings,
        config.model_dump(),
        {"compiled": compiled},
    ]
    content = [TRAINING_LOOP, settings, data.images, data.fingerprint, removed.tolist()]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def save_state(
    denoiser: Denoiser,
    optimizer: torch.optim.Optimizer,
    losses: deque[Tensor],
    checkpoint: Checkpoint,
    identity: str,
    step: int,
) -> None:
    """Writes the weights, AdamW's moments and the last losses after `step` steps."""
    tensors: dict[str, Tensor] = {f"parameter/{name}": p for name, p in denoiser.named_parameters()}
    tensors["losses"] = torch.stack([*losses])
    for number, slot in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{key}": value for key, value in slot.items()}
    notes = {"identity": identity, "step": step, "device": _device_of(denoiser)}
    save_tensors(checkpoint.path, tensors, notes)


def resume(
    denoiser: Denoiser,
    optimizer: torch.optim.Optimizer,
    losses: deque[Tensor],
    checkpoint: Checkpoint,
    identity: str,
) -> int:
    """Restores a saved state of the same training, if there is one; returns the next step.

    Raises:
        InputError: the training began on another model of GPU, whose results differ in their last
            digits, and the checkpoint does not allow it.
    """
    path = checkpoint.path
    if not path.exists():
        return 0
    try:
        tensors, notes = load_tensors(path)
    except InputError as error:
        logger.warning("The saved state is not used: %s", error)
        return 0
    if notes["identity"] != identity:
        logger.warning("%s is from a training with other settings; starting again", path)
        return 0
    ours, theirs = _device_of(denoiser), notes["device"]
    if ours != theirs and not checkpoint.on_any_gpu:
        raise InputError(
            f"{path}: this training began on {theirs}, and this is {ours}, whose results differ in "
            f"their last digits; resume it on {theirs} ('gpu_model' in the profile), delete the "
            "file to start again here, or set 'hardware.resume_on_any_gpu' to true."
        )
    with torch.no_grad():
        for name, parameter in denoiser.named_parameters():
            parameter.copy_(tensors[f"parameter/{name}"])
    losses.extend(tensors["losses"].to(next(denoiser.parameters()).device))
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
