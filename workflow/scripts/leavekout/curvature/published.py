"""Imports curvature that others estimated at a published model."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from leavekout.base.errors import InputError
from leavekout.base.tensors import load_foreign_tensors, load_tensors, require_finite

# The names of our factors, and the files of kronfluence that hold them by module.
_FILES = {"input_basis": "activation_eigenvectors", "output_basis": "gradient_eigenvectors"}
_SUMS, _COUNTS = "lambda_matrix", "num_lambda_processed"
_ORTHOGONAL = 1e-2  # |UᵀU − 1| of a basis that may have been computed in TF32 or bfloat16


def read_diagonal(path: Path, weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The published diagonal Fisher of some weights, float32 by name.

    It is the mean over samples of the squared gradient, as ours is.

    Raises:
        InputError: a weight is missing, or its entries have another shape, are not finite or
            negative.
    """
    tensors = load_foreign_tensors(path)
    found = {}
    for name, weight in weights.items():
        found[name] = _of_shape(tensors, name, weight.shape, path).float()
        _require_positive(found[name], name, path)
    return found


def read_kronfluence(folder: Path, weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """EK-FAC factors of weights without bias in kronfluence's files, as `ekfac` returns them.

    A file maps the name of a module to a tensor. `lambda_matrix` [out, in] is the sum over samples
    of (U_Sᵀ G U_A)², and `num_lambda_processed` the number of samples; ours is the mean.

    Raises:
        InputError: a file or module is missing, a tensor has another shape or is not finite, a
            basis is not orthogonal, or an eigenvalue is negative.
    """
    files = {name: folder / f"{name}.safetensors" for name in (*_FILES.values(), _SUMS, _COUNTS)}
    tensors = {name: load_tensors(path)[0] for name, path in files.items()}
    factors = {}
    for name, weight in weights.items():
        module = name.removesuffix(".weight")
        out, width = weight.flatten(1).shape
        for ours, theirs in _FILES.items():
            side = width if ours == "input_basis" else out
            basis = _of_shape(tensors[theirs], module, (side, side), files[theirs]).float()
            distance = float((basis.T @ basis - torch.eye(side)).abs().max())
            if not distance < _ORTHOGONAL:
                raise InputError(
                    f"{files[theirs]}: '{module}' is no orthogonal basis (UᵀU differs from 1 by "
                    f"{distance:.2g})."
                )
            factors[f"{name}.{ours}"] = basis
        sums = _of_shape(tensors[_SUMS], module, (out, width), files[_SUMS])
        count = tensors[_COUNTS].get(module)
        if count is None or count.numel() != 1 or count.item() < 1:
            raise InputError(f"{files[_COUNTS]}: has no number of samples for '{module}'.")
        _require_positive(sums, module, files[_SUMS])
        factors[f"{name}.eigenvalues"] = (sums.double() / count.item()).float()
    return factors


def _of_shape(
    tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...], path: Path
) -> Tensor:
    """A finite tensor of a name and shape; raises InputError if it is another."""
    tensor = tensors.get(name)
    if tensor is None or tensor.shape != torch.Size(shape):
        found = "absent" if tensor is None else tuple(tensor.shape)
        raise InputError(
            f"{path}: '{name}' is {found}, but {tuple(shape)} is needed; it is not of the "
            "configuration's model."
        )
    require_finite({name: tensor}, path)
    return tensor


def _require_positive(values: Tensor, name: str, path: Path) -> None:
    """Rejects a curvature that is negative somewhere, or zero everywhere."""
    if bool((values < 0).any()) or not bool(values.any()):
        raise InputError(
            f"{path}: '{name}' has negative values or zeros alone, which is no curvature."
        )
