"""A diffusion transformer with cross-attention to the text: PixArt, from diffusers.

Chen et al., *PixArt-α: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image
Synthesis* (ICLR 2024).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import PixArtTransformer2DModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from leavekout.models.denoiser import Denoiser
from leavekout.models.shared_text import SHORT_SEQUENCE, KeysAndValues, parts_of, shared_text


class Network(Denoiser, PixArtTransformer2DModel):
    """diffusers' `PixArtTransformer2DModel`, at one image size."""

    # Shifts and scales of the adaptive norms. The time's embedding is added to them.
    broadcast = ("scale_shift_table",)
    caption_projection: Any

    def prepare(self, device: torch.device) -> None:
        """Chooses the fastest attention for a device."""
        config: Any = self.config
        side = self.latent_shape[1] // config.patch_size
        if device.type == "cpu" and side**2 <= SHORT_SEQUENCE:
            PixArtTransformer2DModel.set_attn_processor(self, AttnProcessor())

    def forward(self, x_t: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The prediction [B, C, h, w]."""
        times = times.expand(len(x_t))
        sizes = {"resolution": None, "aspect_ratio": None}  # all images have one size
        arguments = x_t, parts_of(self, text), times, sizes
        return PixArtTransformer2DModel.forward(self, *arguments, return_dict=False)[0]

    @contextmanager
    def shared_text(self) -> Iterator[KeysAndValues]:
        """See `Denoiser.shared_text`."""
        project: Any = self.caption_projection
        self.caption_projection = None  # applied before the keys and values instead
        try:
            with shared_text(self) as keys_and_values:
                yield lambda text: keys_and_values(text if project is None else project(text))
        finally:
            self.caption_projection = project
