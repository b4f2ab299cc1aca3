"""The U-Net of Stable Diffusion and of the paper, as diffusers has it."""

from contextlib import AbstractContextManager

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from leavekout.models.denoiser import Denoiser
from leavekout.models.shared_text import SHORT_SEQUENCE, KeysAndValues, shared_text


class Network(Denoiser, UNet2DConditionModel):
    """diffusers' `UNet2DConditionModel`."""

    def prepare(self, device: torch.device) -> None:
        """Chooses the attention that is fastest on a device."""
        places = self.latent_shape[1] * self.latent_shape[2]
        if device.type == "cpu" and places <= SHORT_SEQUENCE:
            UNet2DConditionModel.set_attn_processor(self, AttnProcessor())

    def forward(self, x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The prediction [B, C, h, w]."""
        return UNet2DConditionModel.forward(self, x_t, times, text, return_dict=False)[0]

    def shared_text(self) -> AbstractContextManager[KeysAndValues]:
        """Keys and values of the text made once; see `Denoiser.shared_text`."""
        return shared_text(self)
