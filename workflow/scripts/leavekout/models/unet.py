"""The U-Net of Stable Diffusion and of the paper, from diffusers."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.upsampling import Upsample2D
from torch import Tensor

from leavekout.models.denoiser import Denoiser
from leavekout.models.shared_text import SHORT_SEQUENCE, KeysAndValues, parts_of, shared_text


class _Upsample(Upsample2D):
    """diffusers' upsampling by 2, with expansion in place of interpolation.

    Values are the same, and gradients differ only in the order of four summands. On a GPU, the
    compiled deterministic backward pass of interpolation sorts, that of expansion sums.
    """

    def forward(
        self, hidden_states: Tensor, output_size: int | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        """[B, C, h, w] → [B, C, 2h, 2w] and a convolution; diffusers handles other sizes."""
        if output_size is not None or self.use_conv_transpose or not self.interpolate:
            return super().forward(hidden_states, output_size, *args, **kwargs)
        x = hidden_states
        batch, channels, height, width = x.shape
        if x.is_contiguous(memory_format=torch.channels_last):
            x = x.permute(0, 2, 3, 1)[:, :, None, :, None]
            x = x.expand(-1, -1, 2, -1, 2, -1).reshape(batch, 2 * height, 2 * width, channels)
            x = x.permute(0, 3, 1, 2)
        else:
            x = x[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
            x = x.reshape(batch, channels, 2 * height, 2 * width)
        return self.conv(x) if self.use_conv else x


class Network(Denoiser, UNet2DConditionModel):
    """diffusers' `UNet2DConditionModel`."""

    def prepare(self, device: torch.device) -> None:
        """Replaces the upsampling, and chooses the fastest attention for a device."""
        for module in self.modules():
            if type(module) is Upsample2D and module.norm is None and module.name == "conv":
                module.__class__ = _Upsample
        if device.type == "cpu" and self.latent_shape[1] ** 2 <= SHORT_SEQUENCE:
            UNet2DConditionModel.set_attn_processor(self, AttnProcessor())

    def forward(self, x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The prediction [B, C, h, w]."""
        arguments = x_t, times, parts_of(self, text)
        return UNet2DConditionModel.forward(self, *arguments, return_dict=False)[0]

    def shared_text(self) -> AbstractContextManager[KeysAndValues]:
        """See `Denoiser.shared_text`."""
        return shared_text(self)
