"""Per-sample gradients of chosen weights, from one backward pass for the whole batch.

A sample's gradient with respect to a layer's weights is a product of the layer's input and the
gradient of its output. One backward pass of the summed loss gives both for every sample. Autograd
computes no weight gradient, and nothing upstream of the first chosen layer is differentiated. Some
parameters belong to no layer and are broadcast over the batch; each sample gets a copy of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from leavekout.base.errors import InputError

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
        weights: names of parameters of Linear, Conv2d, GroupNorm and LayerNorm layers, and of those
            that the model names as `broadcast` (see `Denoiser`).
        group: adds up the gradients of this many consecutive samples, for B·group samples in a
            batch. Linear layers then never make the gradient of a single sample.

    Raises:
        InputError: a weight belongs to another kind of layer.
    """
    gradients: dict[str, Tensor] = {}
    owners: dict[str, set[str]] = {}
    broadcast: list[str] = []
    for name in weights:
        layer, _, kind = name.rpartition(".")
        if kind in getattr(model, "broadcast", ()):
            broadcast.append(name)
        else:
            owners.setdefault(layer, set()).add(kind)
    rules = {layer: _rule(layer, model.get_submodule(layer)) for layer in owners}

    def add(name: str, value: Tensor) -> None:
        # Factors may be in half precision, as under autocast; gradients are in single precision.
        value = value.to(torch.promote_types(value.dtype, torch.float32))
        gradients[name] = gradients[name] + value if name in gradients else value

    def collect(layer: str, module: nn.Module, a: Tensor, g: Tensor) -> None:
        for kind, value in rules[layer](module, a, g, owners[layer], group).items():
            add(f"{layer}.{kind}", value)

    with watch_layers(model, owners, collect), ExitStack() as stack:
        for name in broadcast:

            def collect_copies(g: Tensor, name: str = name) -> None:
                add(name, _add_up(g, group))

            stack.enter_context(_copied(model, name, collect_copies))
        yield gradients


class _Copies:
    """Replaces a parameter p, and makes p[None] a copy of p for each sample of the batch."""

    def __init__(self, parameter: Tensor, on_backward: Callable[[Tensor], None]) -> None:
        self.parameter, self.on_backward = parameter, on_backward
        self.device = parameter.device
        self.samples = 0

    def __getitem__(self, index: None) -> Tensor:
        copies = self.parameter.detach().expand(self.samples, *self.parameter.shape).clone()
        copies.requires_grad_().register_hook(self.on_backward)
        return copies


@contextmanager
def _copied(model: nn.Module, name: str, on_backward: Callable[[Tensor], None]) -> Iterator[None]:
    """Within the block, `on_backward` gets the gradients [B, …] of a parameter's copies."""
    layer, _, kind = name.rpartition(".")
    owner = model.get_submodule(layer)
    copies = _Copies(owner.get_parameter(kind), on_backward)

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        copies.samples = len(inputs[0])

    handle = model.register_forward_pre_hook(count)
    owner.__dict__[kind] = copies  # hides the parameter, which stays registered
    try:
        yield
    finally:
        del owner.__dict__[kind]
        handle.remove()


def _rule(name: str, module: nn.Module) -> Callable[..., dict[str, Tensor]]:
    match module:
        case nn.Linear():
            return _linear
        case nn.Conv2d() if module.groups == 1 and module.padding_mode == "zeros":
            return _convolution
        case nn.GroupNorm() | nn.LayerNorm():
            return _norm
    raise InputError(
        f"model: there is no per-sample gradient for the layer '{name}', a "
        f"{type(module).__name__}; choose a smaller subset of weights."
    )


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
