"""The U-Net: built in one place, its weights read and written, and its named weight subsets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from leavekout.config.experiment import NoiseSchedule
from leavekout.config.fields import WeightSubset
from leavekout.errors import InputError
from leavekout.runtime.tensors import load_tensors

# A parameter belongs to a subset if its name contains one of these: diffusers calls a block's
# self-attention attn1 and its cross-attention attn2.
_SUBSETS: dict[WeightSubset, tuple[str, ...]] = {
    "all": ("",),
    "attention": (".attn1.", ".attn2."),
    "cross_attention": (".attn2.",),
    "cross_attention_kv": (".attn2.to_k.", ".attn2.to_v."),
}
# On a CPU, attention among so many places or fewer is faster plain than by the fused kernel.
SHORT_SEQUENCE = 64


def build_unet(config: Mapping[str, Any], *, seed: int, device: torch.device) -> Any:
    """A `UNet2DConditionModel` with initial weights that depend on `seed` alone.

    Returns the model in float32 on `device`, in evaluation mode (it has no dropout).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            unet = UNet2DConditionModel(**config)
        except (TypeError, ValueError) as error:
            raise InputError(f"model.unet: diffusers refuses these values ({error}).") from error
    if device.type == "cpu" and unet.config.sample_size**2 <= SHORT_SEQUENCE:
        unet.set_attn_processor(AttnProcessor())
    return unet.to(device).eval()


def skeleton_unet(config: Mapping[str, Any]) -> Any:
    """The U-Net without any weights, for names and shapes: it takes no memory."""
    with torch.device("meta"):
        return UNet2DConditionModel(**config)


def load_unet(
    config: Mapping[str, Any], weights: str | Path | Sequence[str | Path], *, device: torch.device
) -> Any:
    """The U-Net with weights from a file, and those that further files hold in place of its own.

    Raises:
        InputError: the first file has weights of another shape, or a further one weights that the
            U-Net has not.
    """
    first, *changes = [weights] if isinstance(weights, str | Path) else weights
    unet = build_unet(config, seed=0, device=device)
    tensors, _ = load_tensors(Path(first))
    _require_fit(tensors, unet, Path(first))
    for path in map(Path, changes):
        changed, _ = load_tensors(path)
        require_part(changed, unet, path)
        tensors.update(changed)
    unet.load_state_dict(tensors)
    return unet


def require_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> None:
    """Refuses tensors, read from `path`, that are not the weights of such a U-Net."""
    _require_fit(tensors, skeleton_unet(config), path)


def _require_fit(tensors: Mapping[str, Tensor], unet: nn.Module, path: Path) -> None:
    expected = {name: tuple(p.shape) for name, p in unet.state_dict().items()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if found != expected:
        wrong = sorted(n for n in expected | found if expected.get(n) != found.get(n))
        raise InputError(
            f"{path}: does not fit model.unet; the first of {len(wrong)} differing tensors is "
            f"'{wrong[0]}': {found.get(wrong[0], 'absent')} in the file, "
            f"{expected.get(wrong[0], 'absent')} in the model."
        )


def require_part(tensors: Mapping[str, Tensor], unet: nn.Module, path: Path) -> None:
    """Refuses tensors, read from `path`, that cannot stand in place of some of the U-Net's own."""
    own = {name: tuple(p.shape) for name, p in unet.state_dict().items()}
    wrong = sorted(name for name, t in tensors.items() if own.get(name) != tuple(t.shape))
    if wrong or not tensors:
        reason = (
            f"the first of {len(wrong)} differing tensors is '{wrong[0]}': "
            f"{tuple(tensors[wrong[0]].shape)} in the file, "
            f"{own.get(wrong[0], 'absent')} in the model"
            if wrong
            else "it holds no weights"
        )
        raise InputError(f"{path}: does not fit the base model (model.unet); {reason}.")


def select_weights(unet: nn.Module, subset: WeightSubset) -> dict[str, nn.Parameter]:
    """The named parameters of a subset (`PROTOCOL.md`: K,V of COCO are 32 tensors, 7,077,888)."""
    marks = _SUBSETS[subset]
    chosen = {n: p for n, p in unet.named_parameters() if any(mark in n for mark in marks)}
    if not chosen:
        raise InputError(f"model.unet: this U-Net has no weights of the subset '{subset}'.")
    return chosen


def build_scheduler(config: NoiseSchedule) -> DDPMScheduler:
    """The forward process: diffusers' DDPM schedule, epsilon prediction."""
    return DDPMScheduler(
        num_train_timesteps=config.timesteps,
        beta_schedule=config.beta_schedule,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        clip_sample=False,
    )


def strided_timesteps(scheduler: DDPMScheduler, stride: int) -> Tensor:
    """Timesteps 0, stride, 2·stride, …: int64 [ceil(T / stride)]."""
    return torch.arange(0, scheduler.config.num_train_timesteps, stride)


def latent_shape(unet: Any) -> tuple[int, int, int]:
    """The shape (channels, height, width) of one latent of a U-Net."""
    size = unet.config.sample_size
    return unet.config.in_channels, size, size
