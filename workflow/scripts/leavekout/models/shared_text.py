"""Computes the text's keys and values once for all passes that attend to the same text.

A sweep combines one caption with many timesteps and flips, and sampling combines one prompt with
many steps. The keys and values of the cross-attention layers do not depend on these. One matrix
product computes them for all layers (COCO: 1.09 of 6.12 GFLOP of a forward pass).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leavekout.base.errors import InputError

# On a CPU, plain attention is faster than the fused kernel for sequences up to this length.
SHORT_SEQUENCE = 64
# Text states [G, T, E] → the keys and values of all layers [G, T, P].
KeysAndValues = Callable[[Tensor], Tensor]


class _Attend:
    """An attention processor for diffusers that receives computed keys and values.

    Args:
        layer: the layer's number. Its keys and values are items 2·layer and 2·layer + 1.
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
        """[B, n, width] and all layers' [G, T, width] → [B, n, width]; B/G samples share a text."""
        batch, length, width = hidden_states.shape
        keys, values = encoder_hidden_states[2 * self.layer : 2 * self.layer + 2]
        texts = len(keys)

        def heads(x: Tensor) -> Tensor:  # [G, heads, length or tokens, width / heads]
            return x.reshape(texts, -1, attention.heads, width // attention.heads).transpose(1, 2)

        # The passes that share a text form one long sequence.
        q = heads(attention.to_q(hidden_states))
        k, v = heads(keys), heads(values)
        if q.device.type == "cpu" and length <= SHORT_SEQUENCE:
            attended = (q @ k.transpose(-1, -2) * attention.scale).softmax(-1) @ v
        else:
            attended = functional.scaled_dot_product_attention(q, k, v)
        joined = attended.transpose(1, 2).reshape(batch, length, width)
        return attention.to_out[1](attention.to_out[0](joined))


@contextmanager
def shared_text(network: Any) -> Iterator[KeysAndValues]:
    """`Denoiser.shared_text` for a network of diffusers, whose cross-attention is named `attn2`.

    Raises:
        InputError: the cross-attention is of another kind than in Stable Diffusion and PixArt.
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
    """The layers' text input. Within `shared_text` it is split into keys and values of each layer.

    It is split once: if each layer took a slice, each slice's gradient would be a tensor of the
    full size.
    """
    return text.split(network.shared_widths, -1) if network.shared_widths else text
