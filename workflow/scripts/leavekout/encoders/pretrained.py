"""The frozen encoders, read from `from_pretrained` folders, and the data they encode.

VAE: images ↔ latents. Text encoder: captions → the states that the denoiser attends to. CLIP: the
image tower behind the CLIP measure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

from leavekout.errors import InputError
from leavekout.runtime.job import progress
from leavekout.runtime.rows import write_rows

disable_progress_bar()  # of loading weights: it would tear the terminal lines of other jobs


def load_vae(folder: Path, device: torch.device) -> Any:
    """The autoencoder of a `from_pretrained` folder."""
    return (
        _load(AutoencoderKL, folder, low_cpu_mem_usage=False)
        .to(device)
        .eval()
        .requires_grad_(False)
    )


def _load(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{folder}: not a folder of a {kind.__name__} ({reason}).") from error


def to_unit_range(pixels: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1], what the VAE takes."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def encode_images(vae: Any, pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 [B, H, W, 3] → scaled latents [B, 4, h, w]; the mean of the posterior."""
    mean = vae.encode(to_unit_range(pixels).to(device)).latent_dist.mean
    return mean * vae.config.scaling_factor


@torch.no_grad()
def decode_latents(vae: Any, latents: Tensor) -> np.ndarray:
    """Scaled latents [B, 4, h, w] → uint8 [B, H, W, 3]."""
    images = vae.decode(latents / vae.config.scaling_factor).sample
    unit = (images / 2 + 0.5).clamp(0, 1)
    return (unit * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


@dataclass
class TextEncoder:
    """A tokenizer and the text tower that conditions the diffusion model."""

    tokenizer: Any
    model: Any

    @classmethod
    def load(cls, tokenizer: Path, model: Path, device: torch.device) -> "TextEncoder":
        """Reads the two `from_pretrained` folders."""
        tower = _load(CLIPTextModel, model).to(device).eval().requires_grad_(False)
        return cls(_load(CLIPTokenizer, tokenizer), tower)

    @torch.no_grad()
    def __call__(self, captions: Sequence[str]) -> Tensor:
        """B captions → their last hidden states after the final norm: [B, T, E]."""
        return self.with_gradient(captions)

    def with_gradient(self, captions: Sequence[str]) -> Tensor:
        """The same, for a gradient of the states with respect to an embedding."""
        length = self.model.config.max_position_embeddings
        tokens = self.tokenizer(
            list(captions),
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
        return self.model(tokens.input_ids.to(self.model.device)).last_hidden_state


@dataclass
class ClipImageEncoder:
    """The image tower of an open_clip model, with its own preprocessing."""

    model: Any
    preprocess: Any
    device: torch.device

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "ClipImageEncoder":
        """Reads a folder with `open_clip_config.json` and safetensors weights."""
        name = f"local-dir:{folder}"
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(name)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{folder}: not a folder of an open_clip model ({reason}).") from error
        return cls(model.to(device).eval().requires_grad_(False), preprocess, device)

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray) -> Tensor:
        """uint8 [B, H, W, 3] → image embeddings of unit length, float32 [B, D]."""
        images = torch.stack([self.preprocess(Image.fromarray(p)) for p in pixels])
        return self.model.encode_image(images.to(self.device), normalize=True).float().cpu()


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
        for start in _starts(first, len(pixels), batch, "encoding images"):
            part = pixels[start : start + batch]
            oriented = [part, part[:, :, ::-1]][:flips]
            yield torch.stack([encode_images(vae, p, device).half() for p in oriented], 1)

    shape = (len(pixels), flips, *encode_images(vae, pixels[:1], device).shape[1:])
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)


def write_text(
    path: Path,
    encoder: TextEncoder,
    captions: Sequence[Sequence[str]],
    *,
    batch: int,
    identity: str,
    save_seconds: float,
) -> None:
    """Writes `text.npy`: float16 [N, C, T, E], the states of C captions of each image.

    Args:
        identity, save_seconds: as in `Rows`.
    """
    count, states = len(captions[0]), encoder([""]).shape[1:]
    at_once = max(1, batch // count)

    def parts(first: int) -> Iterator[Tensor]:
        for start in _starts(first, len(captions), at_once, "encoding captions"):
            part = [text for texts in captions[start : start + at_once] for text in texts]
            distinct, inverse = np.unique(part, return_inverse=True)
            encoded = encoder(list(distinct)).half()
            places = torch.from_numpy(inverse).to(encoded.device)
            yield encoded[places].unflatten(0, (-1, count))

    shape = (len(captions), count, *states)
    write_rows(path, np.float16, shape, parts, identity=identity, save_seconds=save_seconds)


def _starts(first: int, total: int, step: int, what: str) -> Iterable[int]:
    starts = range(first, total, step)
    return progress(starts, what, total=len(starts))
