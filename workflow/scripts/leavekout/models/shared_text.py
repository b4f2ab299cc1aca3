"""The text's keys and values, computed once for all the passes that attend to the same text.

In a sweep one caption meets many timesteps and flips, and in sampling one prompt meets every step.
Its keys and values in all cross-attention layers depend on neither. Here they come from one matrix
product for all layers, and the layers attend to their part of it. (COCO: 1.09 of 6.12 GFLOP of a
forward pass.)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leavekout.base.errors import InputError

# On a CPU, attention among so many places or fewer is faster plain than by the fused kernel.
SHORT_SEQUENCE = 64
# Text states [G, T, E] → the keys and values of all layers [G, T, P].
KeysAndValues = Callable[[Tensor], Tensor]


class _Attend:
    """An attention processor of diffusers that takes its keys and values ready-made.

    Args:
        layer: its number; its keys and values are two consecutive parts of all layers' (see
            `parts_of`).
    """

    def __init__(self, layer: int) -> None:
        self.layer = layer

    def __call__(
        self,
        attention: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Sequence[Tensor],
        attention_mask: None = None,
    ) -> Tensor:
        """[B, n, width] and all layers' [G, T, width] → [B, n, width]; consecutive B/G share."""
        batch, places, width = hidden_states.shape
        keys, values = encoder_hidden_states[2 * self.layer : 2 * self.layer + 2]
        texts = len(keys)

        def heads(x: Tensor) -> Tensor:  # [G, heads, places or tokens, width / heads]
            return x.reshape(texts, -1, attention.heads, width // attention.heads).transpose(1, 2)

        # The passes that share a text are one long sequence of queries to it.
        q = heads(attention.to_q(hidden_states))
        k, v = heads(keys), heads(values)
        if q.device.type == "cpu" and places <= SHORT_SEQUENCE:
            attended = (q @ k.transpose(-1, -2) * attention.scale).softmax(-1) @ v
        else:
            attended = functional.scaled_dot_product_attention(q, k, v)
        together = attended.transpose(1, 2).reshape(batch, places, width)
        return attention.to_out[1](attention.to_out[0](together))


@contextmanager
def shared_text(network: Any) -> Iterator[KeysAndValues]:
    """`Denoiser.shared_text` of a network whose cross-attention is diffusers', named `attn2`.

    Raises:
        InputError: the cross-attention is not the plain one of Stable Diffusion and PixArt.
    """
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    widths: list[int] = []
    processors = dict(network.attn_processors)
    for name, layer in network.named_modules():
        if name.endswith(".attn2"):
            if layer.to_k.weight.shape != layer.to_v.weight.shape:
                raise InputError("model: cross-attention of this kind is not supported.")
            processors[f"{name}.processor"] = _Attend(len(widths) // 2)
            widths += [layer.to_k.out_features] * 2
            weights += [layer.to_k.weight, layer.to_v.weight]
            if layer.to_k.bias is not None:
                biases += [layer.to_k.bias, layer.to_v.bias]
    before = network.attn_processors
    network.set_attn_processor(processors)
    network.shared_widths = widths

    def keys_and_values(text: Tensor) -> Tensor:
        if not weights:  # nothing attends to the text
            return text
        return functional.linear(text, torch.cat(weights), torch.cat(biases) if biases else None)

    try:
        yield keys_and_values
    finally:
        network.set_attn_processor(before)
        network.shared_widths = None


def parts_of(network: Any, text: Tensor) -> Any:
    """What a network's layers get in place of text states: within `shared_text`, all their parts.

    They are cut once, because the gradients of a slice in each layer would be as many tensors of
    the size of all.
    """
    return text.split(network.shared_widths, -1) if network.shared_widths else text
