"""Reads and writes named tensors: weights, Fisher information, training states."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from leavekout.base.artifacts import atomic, provenance, reading
from leavekout.base.errors import InputError


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes named tensors as safetensors, with provenance and `metadata`."""
    notes = {"leavekout": json.dumps({**provenance(), **(metadata or {})})}
    with atomic(path) as temporary:
        save_file({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, temporary, notes)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads (tensors, metadata); raises InputError if the file is missing or truncated."""
    with reading(path, "safetensors file", SafetensorError), safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads((file.metadata() or {}).get("leavekout", "{}"))


def require_finite(
    tensors: Mapping[str, Tensor], where: Path | str, advice: str = "use another copy of it"
) -> None:
    """Raises InputError if a weight holds a value that is NaN or infinite.

    Args:
        where: the file or model, for the message.
    """
    wrong = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        others = f" (and in {len(wrong) - 1} others)" if wrong[1:] else ""
        raise InputError(
            f"{where}: values in the weight '{wrong[0]}'{others} are NaN or infinite; {advice}."
        )


def require_unquantised(types: Mapping[str, Any], where: Path) -> None:
    """Raises InputError if a weight is stored in eight bits or fewer.

    Args:
        types: the type of each weight, by its name in torch or in safetensors.
    """
    for name, kind in types.items():
        if re.search(r"[a-z][48](_|$)", str(kind).lower()):  # I8, F8_E4M3, torch.uint8
            raise InputError(
                f"{where}: the weight '{name}' is stored as {kind}, as in quantised models; use "
                "the model in half precision or more."
            )


def types_in(path: Path) -> dict[str, str]:
    """The type of each tensor in a safetensors file, from its header."""
    with safe_open(path, "pt") as file:
        return {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def load_foreign_tensors(path: Path, *, nested: bool = False) -> dict[str, Tensor]:
    """Reads a safetensors file, or a PyTorch file that contains only tensors.

    Args:
        nested: whether tensors of mappings within the mapping count, as `outer.inner`.

    Raises:
        InputError: it is neither, or quantised. A file that could run code is refused.
    """
    of_torch = path.suffix != ".safetensors"
    tensors = _from_torch(path, nested=nested) if of_torch else load_tensors(path)[0]
    require_unquantised({name: tensor.dtype for name, tensor in tensors.items()}, path)
    return tensors


def _from_torch(path: Path, *, nested: bool) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except Exception as error:  # unpickling raises many kinds, with long advice on torch.load
        raise InputError(
            f"{path}: not a complete file of tensors alone; save the model's 'state_dict()' as "
            "safetensors."
        ) from error
    return dict(_tensors(found, "", nested=nested))


def _tensors(content: Any, before: str, *, nested: bool) -> Iterator[tuple[str, Tensor]]:
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Tensor):
            yield f"{before}{name}", value
        elif nested:
            yield from _tensors(value, f"{before}{name}.", nested=True)
