"""Custom Diffusion's files, in the format of diffusers: changed attention weights, and V*.

Kumari et al., *Multi-Concept Customization of Text-to-Image Diffusion* (CVPR 2023). A model's
folder contains the attention weights that replace the base model's, as
`UNet2DConditionModel.save_attn_procs` writes them, and the embedding of its token in a file of the
token's name, as diffusers' training script writes it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from leavekout.base.artifacts import atomic_folder
from leavekout.base.errors import InputError
from leavekout.base.tensors import load_foreign_tensors
from leavekout.models.denoiser import Denoiser, require_part

_WEIGHTS = "pytorch_custom_diffusion_weights"
_ENDINGS = (".safetensors", ".bin", ".pt")
# …attn2.processor.to_k_custom_diffusion.weight replaces …attn2.to_k.weight.
_OF_PROCESSOR = re.compile(r"\.processor\.(to_[a-z]+)_custom_diffusion\.")
_TOKEN = "<new1>"  # diffusers' own default name


def read_weights(folder: Path, denoiser: Denoiser) -> dict[str, Tensor]:
    """The weights that replace the base model's, by the denoiser's names.

    The file may have diffusers' names, or those of the denoiser's own state dict.

    Raises:
        InputError: there is no such file, it runs code when read, or its weights do not fit the
            base model.
    """
    path = _weights_file(folder)
    tensors = {
        _OF_PROCESSOR.sub(r".\1.", name): tensor.float()
        for name, tensor in load_foreign_tensors(path).items()
    }
    require_part(tensors, denoiser, path)
    return tensors


def read_token(folder: Path) -> Tensor:
    """The embedding of a model's token: [E].

    Raises:
        InputError: there is no such file, or it does not hold one vector.
    """
    paths = [path for ending in _ENDINGS for path in sorted(folder.glob(f"<*>{ending}"))]
    path = _only(
        paths or [folder / f"{_TOKEN}{ending}" for ending in _ENDINGS], folder, "token's embedding"
    )
    tensors = list(load_foreign_tensors(path).values())
    if len(tensors) != 1 or tensors[0].dim() != 1:
        shapes = [tuple(t.shape) for t in tensors]
        raise InputError(f"{path}: not the embedding of one token; its tensors are {shapes}.")
    return tensors[0].float()


def require_files(folder: Path) -> None:
    """Raises InputError if a model's folder lacks its weights or its token's embedding."""
    _weights_file(folder)
    read_token(folder)


def _weights_file(folder: Path) -> Path:
    return _only([folder / f"{_WEIGHTS}{ending}" for ending in _ENDINGS], folder, "weights")


def _only(candidates: list[Path], folder: Path, what: str) -> Path:
    """The only existing file of these; the same name in two formats counts once."""
    present = {path.stem: path for path in reversed(candidates) if path.is_file()}
    if len(present) != 1:
        names = " or ".join(f"'{path.name}'" for path in candidates)
        state = "is missing" if not present else "is in several files"
        raise InputError(f"{folder}: the customized model's {what} {state}; expected {names}.")
    return next(iter(present.values()))


def write_customization(folder: Path, weights: Mapping[str, Tensor], token: Tensor) -> None:
    """Writes a customized model's folder, which `load_attn_procs` of diffusers reads, too.

    Args:
        weights: of cross-attention, by the denoiser's names; token: [E].
    """
    renamed = {
        re.sub(r"\.(to_[a-z]+)\.", r".processor.\1_custom_diffusion.", name): _plain(tensor)
        for name, tensor in weights.items()
    }
    with atomic_folder(folder) as staging:
        save_file(renamed, staging / f"{_WEIGHTS}.safetensors", {"format": "pt"})
        save_file({_TOKEN: _plain(token)}, staging / f"{_TOKEN}.safetensors", {"format": "pt"})


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32).contiguous()
