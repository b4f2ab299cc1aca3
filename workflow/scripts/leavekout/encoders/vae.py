"""The autoencoder: images ↔ latents."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from leavekout.base.noise import Domain, normal
from leavekout.base.rows import write_rows
from leavekout.encoders.pretrained import load_encoder, module_from_folder, starts

Noise = Callable[[Sequence[int]], Tensor]


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
def encode_images(
    vae: Any, pixels: np.ndarray, device: torch.device, noise: Noise | None = None
) -> Tensor:
    """uint8 [B, H, W, 3] → scaled latents [B, 4, h, w], the means of the posteriors.

    Args:
        noise: shape → ε [B, *shape], for samples μ + σ ε of the posteriors.
    """
    posterior = vae.encode(to_signed_range(pixels).to(device)).latent_dist
    latents = posterior.mean
    if noise:
        latents = latents + posterior.std * noise(latents.shape[1:]).to(latents)
    return latents * vae.config.scaling_factor


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
    sampled_by: np.ndarray | None = None,
) -> None:
    """Writes `latents.npy`: float16 [N, F, 4, h, w], of each image and its horizontal flip.

    Args:
        sampled_by: the images' ids [N], if latents are sampled; the noise is keyed to id and flip.
        identity, save_seconds: as in `Rows`.
    """

    def noise_of(rows: slice, flip: int) -> Noise | None:
        if sampled_by is None:
            return None
        return partial(_keyed_noise, torch.from_numpy(sampled_by[rows].astype(np.int64)), flip)

    def parts(first: int) -> Iterator[Tensor]:
        for start in starts(first, len(pixels), batch, "encoding images"):
            rows = slice(start, start + batch)
            oriented = [pixels[rows], pixels[rows][:, :, ::-1]][:flips]
            encoded = [
                encode_images(vae, part, device, noise_of(rows, flip)).half()
                for flip, part in enumerate(oriented)
            ]
            yield torch.stack(encoded, 1)

    shape = (len(pixels), flips, *encode_images(vae, pixels[:1], device).shape[1:])
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)


def _keyed_noise(image_ids: Tensor, flip: int, shape: Sequence[int]) -> Tensor:
    return normal(0, Domain.LATENTS, image_ids, flip, shape=tuple(shape))
