"""CLIP's image tower, for the CLIP measure and CLIP similarity."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor

from leavekout.base.errors import InputError


@dataclass
class ClipImageEncoder:
    """The image tower of an open_clip model, with its preprocessing."""

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
