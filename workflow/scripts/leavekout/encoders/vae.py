"""The autoencoder: images ↔ latents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from leavekout.base.rows import write_rows
from leavekout.encoders.pretrained import load_encoder, module_from_folder, starts


def load_vae(folder: Path, device: torch.device) -> Any:
    """Loads the autoencoder of a `from_pretrained` folder."""
    return load_encoder(
        lambda: module_from_folder(AutoencoderKL, folder, low_cpu_mem_usage=False),
        folder,
        "an AutoencoderKL",
        device,
    )


def to_signed_range(pixels: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1], the VAE's input."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def encode_images(vae: Any, pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [B, H, W, 3] → scaled latents [B, 4, h, w], the means of the posteriors."""
    mean = vae.encode(to_signed_range(pixels).to(device)).latent_dist.mean
    return mean * vae.config.scaling_factor


@torch.no_grad()
def decode_latents(vae: Any, latents: Tensor) -> np.ndarray:
    """Scaled latents [B, 4, h, w] → uint8 [B, H, W, 3]."""
    images = vae.decode(latents / vae.config.scaling_factor).sample
    unit = (images / 2 + 0.5).clamp(0, 1)
    return (unit * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def write_latents(
    path: Path,
    vae: Any,
    pixels: np.ndarray,
    *,
    flips: int,
    batch: int,
    device: torch.device,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes `latents.npy`: float16 [N, F, 4, h, w], of each image and its horizontal flip.

    Args:
        identity, save_seconds: as in `Rows`.
    """

    def parts(first: int) -> Iterator[Tensor]:
        for start in starts(first, len(pixels), batch, "encoding images"):
            part = pixels[start : start + batch]
            oriented = [part, part[:, :, ::-1]][:flips]
            yield torch.stack([encode_images(vae, p, device).half() for p in oriented], 1)

    shape = (len(pixels), flips, *encode_images(vae, pixels[:1], device).shape[1:])
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)
