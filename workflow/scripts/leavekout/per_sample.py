"""Per-sample gradients of chosen weights, from one backward pass for the whole batch.

The gradient of a sample with respect to a layer's weights is a product of the layer's input and
the gradient of its output, which one backward pass of the summed loss gives for every sample at
once. No weight gradient is computed by autograd, and nothing upstream of the first chosen layer
is differentiated.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@contextmanager
def per_sample_gradients(
    model: nn.Module, weights: Mapping[str, nn.Parameter]
) -> Iterator[dict[str, Tensor]]:
    """Collects per-sample gradients while the block runs one forward and one backward pass.

    Inside the block, call the model on a batch and `backward()` on the *sum* of the per-sample
    losses. Afterwards the yielded dict holds, for each name in `weights`, [B, *weight.shape].

    Args:
        weights: parameters of Linear, Conv2d, GroupNorm and LayerNorm layers, by name.

    Raises:
        TypeError: a weight belongs to another kind of layer.
    """
    gradients: dict[str, Tensor] = {}
    owners: dict[str, set[str]] = {}
    for name in weights:
        layer, _, kind = name.rpartition(".")
        owners.setdefault(layer, set()).add(kind)
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    handles = []
    for layer, kinds in owners.items():
        module = model.get_submodule(layer)
        rule = _rule(module)

        def forward_hook(
            module: nn.Module,
            inputs: tuple[Tensor, ...],
            output: Tensor,
            layer: str = layer,
            kinds: set[str] = kinds,
            rule: Callable[..., dict[str, Tensor]] = rule,
        ) -> None:
            source = inputs[0].detach()
            if not output.requires_grad:
                output.requires_grad_()  # the first chosen layer: differentiation ends here

            def backward_hook(gradient: Tensor) -> None:
                for kind, value in rule(module, source, gradient, kinds).items():
                    name = f"{layer}.{kind}"
                    gradients[name] = gradients[name] + value if name in gradients else value

            output.register_hook(backward_hook)

        handles.append(module.register_forward_hook(forward_hook))
    try:
        model.requires_grad_(False)
        yield gradients
    finally:
        for handle in handles:
            handle.remove()
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)


def _rule(module: nn.Module) -> Callable[..., dict[str, Tensor]]:
    match module:
        case nn.Linear():
            return _linear
        case nn.Conv2d() if module.groups == 1 and module.padding_mode == "zeros":
            return _convolution
        case nn.GroupNorm() | nn.LayerNorm():
            return _norm
    raise TypeError(f"no per-sample gradient for {type(module).__name__}")


def _linear(layer: nn.Linear, a: Tensor, g: Tensor, kinds: set[str]) -> dict[str, Tensor]:
    """a: [B, …, in], g: [B, …, out] → weight [B, out, in], bias [B, out]."""
    a, g = a.reshape(len(a), -1, a.shape[-1]), g.reshape(len(g), -1, g.shape[-1])
    results = {}
    if "weight" in kinds:
        results["weight"] = torch.bmm(g.transpose(1, 2), a)
    if "bias" in kinds:
        results["bias"] = g.sum(1)
    return results


def _convolution(layer: nn.Conv2d, a: Tensor, g: Tensor, kinds: set[str]) -> dict[str, Tensor]:
    """a: [B, in, H, W], g: [B, out, H', W'] → weight [B, out, in, k, k], bias [B, out]."""
    results = {}
    if "weight" in kinds:
        geometry: dict[str, Any] = {
            name: getattr(layer, name) for name in ("dilation", "padding", "stride")
        }
        patches = functional.unfold(a, layer.kernel_size, **geometry)  # [B, in·k·k, H'·W']
        product = torch.bmm(g.flatten(2), patches.transpose(1, 2))
        results["weight"] = product.reshape(len(a), *layer.weight.shape)
    if "bias" in kinds:
        results["bias"] = g.flatten(2).sum(2)
    return results


def _norm(
    layer: nn.GroupNorm | nn.LayerNorm, a: Tensor, g: Tensor, kinds: set[str]
) -> dict[str, Tensor]:
    """Affine weight and bias: [B, channels] each."""
    if isinstance(layer, nn.GroupNorm):
        normed = functional.group_norm(a, layer.num_groups, eps=layer.eps)
        over = tuple(range(2, a.dim()))
    else:
        normed = functional.layer_norm(a, layer.normalized_shape, eps=layer.eps)
        over = tuple(range(1, a.dim() - len(layer.normalized_shape)))
    results = {"weight": g * normed, "bias": g}
    return {kind: results[kind].sum(over) if over else results[kind] for kind in kinds}
