"""Learned linear layers between features and cosines (*Attribution by Customization*)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from leavekout.base.errors import InputError
from leavekout.base.tensors import load_foreign_tensors, require_finite

# The layer of each side, and what the published files call it.
_SIDES = {"images": "real_mapper", "queries": "synth_mapper"}


def read_mapper(path: Path) -> dict[str, Tensor]:
    """Reads the layers h(f) = W f + b of images and of queries: `images.weight`, `images.bias`, ….

    The file (see `load_foreign_tensors`) holds two layers as published: `real_mapper` for training
    images and `synth_mapper` for queries, each with `weight` [D', D] and `bias` [D']. Or it holds
    one layer for both sides: one matrix, and optionally one vector, under any names.

    Raises:
        InputError: it is no such file, or a value is not finite.
    """
    tensors = load_foreign_tensors(path, nested=True)
    layers: dict[str, Tensor] = {}
    for side, name in _SIDES.items():
        own = {n: t for n, t in tensors.items() if n.startswith(f"{name}.")}
        published = [n for n in _SIDES.values() if any(t.startswith(f"{n}.") for t in tensors)]
        if published and not own:
            raise InputError(
                f"{path}: has '{published[0]}' alone and no '{name}'; use the file as published, "
                "or one layer without such a name for both sides."
            )
        for part, tensor in _layer(path, own or tensors).items():
            layers[f"{side}.{part}"] = tensor.float().clone()  # no memory in common
    rows = [layers[f"{side}.weight"].shape for side in _SIDES]
    if rows[0] != rows[1]:
        raise InputError(
            f"{path}: its two layers have matrices of different shapes, {tuple(rows[0])} and "
            f"{tuple(rows[1])}."
        )
    require_finite(layers, path)
    return layers


def _layer(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    matrices, vectors = ([t for t in tensors.values() if t.dim() == n] for n in (2, 1))
    if len(matrices) != 1 or len(vectors) > 1 or any(len(v) != len(matrices[0]) for v in vectors):
        shapes = [tuple(t.shape) for t in tensors.values()]
        raise InputError(f"{path}: not one linear layer; its tensors have shapes {shapes}.")
    return {"weight": matrices[0], **({"bias": vectors[0]} if vectors else {})}


def mapped(features: np.ndarray, mapper: Mapping[str, Tensor], side: str) -> np.ndarray:
    """h(f) of features [N, D], by the layer of `images` or of `queries`: float64 [N, D'].

    Raises:
        InputError: the layer takes features of another width.
    """
    weight = mapper[f"{side}.weight"].double().numpy()
    if weight.shape[1] != features.shape[1]:
        raise InputError(
            f"mapper: its matrix {weight.shape} does not take features of {features.shape[1]} "
            "dimensions."
        )
    result = np.asarray(features, np.float64) @ weight.T
    bias = mapper.get(f"{side}.bias")
    return result if bias is None else result + bias.double().numpy()
