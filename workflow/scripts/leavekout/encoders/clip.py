"""CLIP's image tower, for the CLIP measure and CLIP similarity."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor

from leavekout.encoders.pretrained import load_encoder


@dataclass
class ClipImageEncoder:
    """The image tower of an open_clip model, with its preprocessing."""

    model: Any
    preprocess: Any
    device: torch.device

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "ClipImageEncoder":
        """Reads a folder with `open_clip_config.json` and safetensors weights."""
        transforms = []

        def load() -> Any:
            model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
            transforms.append(preprocess)
            return model

        model = load_encoder(load, folder, "an open_clip model", device)
        return cls(model, transforms[0], device)

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray) -> Tensor:
        """uint8 [B, H, W, 3] → image embeddings, float32 [B, D]."""
        images = torch.stack([self.preprocess(Image.fromarray(p)) for p in pixels])
        return self.model.encode_image(images.to(self.device)).float().cpu()
