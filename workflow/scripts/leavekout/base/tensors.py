"""Named tensors in safetensors files: weights, Fisher information, training states."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from leavekout.base.artifacts import atomic, provenance
from leavekout.base.errors import InputError


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes named tensors as safetensors, with provenance and `metadata`."""
    notes = {"leavekout": json.dumps({**provenance(), **(metadata or {})})}
    with atomic(path) as temporary:
        try:
            save_file(
                {k: t.detach().cpu().contiguous() for k, t in tensors.items()}, temporary, notes
            )
        except SafetensorError as error:  # of a full disk, say; it hides the OSError
            raise InputError(f"{path}: cannot be written ({error}).") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads (tensors, metadata); raises InputError if the file is missing or truncated."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            notes = json.loads((file.metadata() or {}).get("leavekout", "{}"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); delete it.") from error
    return tensors, notes


def load_foreign_tensors(path: Path) -> dict[str, Tensor]:
    """Reads the tensors of safetensors, or of a PyTorch file that holds nothing which runs code.

    Raises:
        InputError: it is neither.
    """
    if path.suffix == ".safetensors":
        return load_tensors(path)[0]
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except Exception as error:  # of many kinds, from unpickling
        raise InputError(f"{path}: not a file of tensors alone ({error}).") from error
    items = content.items() if isinstance(content, Mapping) else ()
    return {name: value for name, value in items if isinstance(value, Tensor)}
