"""Per-sample gradients of chosen weights, from one backward pass for the whole batch.

The gradient of a sample with respect to a layer's weights is a product of the layer's input and
the gradient of its output, which one backward pass of the summed loss gives for every sample at
once. No weight gradient is computed by autograd, and nothing upstream of the first chosen layer
is differentiated.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

OnBackward = Callable[[str, nn.Module, Tensor, Tensor], None]


@contextmanager
def watch_layers(
    model: nn.Module, layers: Iterable[str], on_backward: OnBackward
) -> Iterator[None]:
    """Calls `on_backward(name, layer, a, g)` while the block runs a forward and a backward pass.

    a is the layer's input and g the gradient of its output. Inside the block no weight of the
    model takes a gradient.
    """
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    handles = []
    for name in layers:

        def forward_hook(
            module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name
        ) -> None:
            a = inputs[0].detach()
            if not output.requires_grad:
                output.requires_grad_()  # the first chosen layer: differentiation ends here
            output.register_hook(lambda g: on_backward(name, module, a, g))

        handles.append(model.get_submodule(name).register_forward_hook(forward_hook))
    try:
        model.requires_grad_(False)
        yield
    finally:
        for handle in handles:
            handle.remove()
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)


@contextmanager
def per_sample_gradients(
    model: nn.Module, weights: Iterable[str], *, group: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Collects per-sample gradients while the block runs one forward and one backward pass.

    Inside the block, call the model on a batch and `backward()` on the *sum* of the per-sample
    losses. Afterwards the yielded dict holds, for each name in `weights`, [B, *weight.shape].

    Args:
        weights: names of parameters of Linear, Conv2d, GroupNorm and LayerNorm layers.
        group: adds up the gradients of so many consecutive samples, for B·group samples in a
            batch; of linear layers no gradient of a single sample is ever made.

    Raises:
        TypeError: a weight belongs to another kind of layer.
    """
    gradients: dict[str, Tensor] = {}
    owners: dict[str, set[str]] = {}
    for name in weights:
        layer, _, kind = name.rpartition(".")
        owners.setdefault(layer, set()).add(kind)
    rules = {layer: _rule(model.get_submodule(layer)) for layer in owners}

    def collect(layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
        for kind, value in rules[layer](module, a, g, owners[layer], group).items():
            name = f"{layer}.{kind}"
            # From factors in half precision, as under autocast, but used in single precision.
            value = value.to(torch.promote_types(value.dtype, torch.float32))
            gradients[name] = gradients[name] + value if name in gradients else value

    with watch_layers(model, owners, collect):
        yield gradients


def _rule(module: nn.Module) -> Callable[..., dict[str, Tensor]]:
    match module:
        case nn.Linear():
            return _linear
        case nn.Conv2d() if module.groups == 1 and module.padding_mode == "zeros":
            return _convolution
        case nn.GroupNorm() | nn.LayerNorm():
            return _norm
    raise TypeError(f"no per-sample gradient for {type(module).__name__}")


def _linear(
    layer: nn.Linear, a: Tensor, g: Tensor, kinds: set[str], group: int
) -> dict[str, Tensor]:
    """a: [B·group, …, in], g: [B·group, …, out] → weight [B, out, in], bias [B, out]."""
    a, g = (x.reshape(len(x) // group, -1, x.shape[-1]) for x in (a, g))
    results = {}
    if "weight" in kinds:
        results["weight"] = torch.bmm(g.transpose(1, 2), a)
    if "bias" in kinds:
        results["bias"] = g.sum(1)
    return results


def _convolution(
    layer: nn.Conv2d, a: Tensor, g: Tensor, kinds: set[str], group: int
) -> dict[str, Tensor]:
    """a: [B·group, in, H, W], g: [B·group, out, H', W'] → weight [B, out, in, k, k], bias."""
    results = {}
    if "weight" in kinds:
        geometry: dict[str, Any] = {
            name: getattr(layer, name) for name in ("dilation", "padding", "stride")
        }
        patches = functional.unfold(a, layer.kernel_size, **geometry)  # [B·group, in·k·k, H'·W']
        # [B, group·H'·W', …] of both, so that the product adds up places and the group at once.
        g_rows, patch_rows = (
            x.transpose(1, 2).reshape(len(x) // group, -1, x.shape[1])
            for x in (g.flatten(2), patches)
        )
        product = torch.bmm(g_rows.transpose(1, 2), patch_rows)
        results["weight"] = product.reshape(-1, *layer.weight.shape)
    if "bias" in kinds:
        results["bias"] = _add_up(g.flatten(2).sum(2), group)
    return results


def _norm(
    layer: nn.GroupNorm | nn.LayerNorm, a: Tensor, g: Tensor, kinds: set[str], group: int
) -> dict[str, Tensor]:
    """Affine weight and bias: [B, channels] each."""
    if isinstance(layer, nn.GroupNorm):
        normed = functional.group_norm(a, layer.num_groups, eps=layer.eps)
        over = tuple(range(2, a.dim()))
    else:
        normed = functional.layer_norm(a, layer.normalized_shape, eps=layer.eps)
        over = tuple(range(1, a.dim() - len(layer.normalized_shape)))
    results = {"weight": g * normed, "bias": g}
    return {
        kind: _add_up(results[kind].sum(over) if over else results[kind], group) for kind in kinds
    }


def _add_up(values: Tensor, group: int) -> Tensor:
    """[B·group, …] → [B, …]."""
    return values.unflatten(0, (-1, group)).sum(1)
