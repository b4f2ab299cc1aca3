"""Trains a small vision transformer by self-distillation, for experiments that download nothing.

DINO (Caron et al., *Emerging Properties in Self-Supervised Vision Transformers*, ICCV 2021): for
each of two crops of an image, a student learns to predict a teacher's output for the other crop.
The teacher is the moving average of the student's weights. Loss and projection head are from
lightly. DINO's small crops are left out, because a third of a digit is no digit.
"""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightly.loss import DINOLoss
from lightly.models.modules.heads import DINOProjectionHead
from lightly.models.utils import update_momentum
from torch import Tensor, nn
from torch.nn import functional
from transformers import ViTConfig, ViTImageProcessor, ViTModel

from leavekout.config.encoders import DinoTraining
from leavekout.encoders.pretrained import require_trained, shuffled_batches, steps_of
from leavekout.encoders.vae import to_signed_range

logger = logging.getLogger("leavekout")
_SCALE = (0.6, 1.0)  # of an image's area
_MAX_TURN = math.radians(10)
_FEATURES_OF_HEAD = 64


def random_crops(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of each image, slightly rotated, with random contrast: [B, C, H, W], resized.

    Crops are not mirrored, because a mirrored digit is no digit.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), generator=generator)

    side = uniform(*_SCALE).sqrt()
    ratio = uniform(-0.15, 0.15).exp()
    width, height = (side * ratio).clamp(max=1), (side / ratio).clamp(max=1)
    x, y = (1 - width) * uniform(-1, 1), (1 - height) * uniform(-1, 1)
    turn = uniform(-_MAX_TURN, _MAX_TURN)
    cos, sin = turn.cos(), turn.sin()
    entries = width * cos, -height * sin, x, width * sin, height * cos, y
    affine = torch.stack(entries, 1).unflatten(1, (2, 3))
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False).to(images)
    cropped = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = uniform(0.7, 1.3), uniform(-0.2, 0.2)
    changed = cropped * contrast[:, None, None, None].to(images)
    return (changed + brightness[:, None, None, None].to(images)).clamp(-1, 1)


class _Network(nn.Module):
    """A vision transformer and its projection head."""

    def __init__(self, config: DinoTraining, image_size: int) -> None:
        super().__init__()
        self.backbone = ViTModel(vit_config(config, image_size), add_pooling_layer=False)
        self.head = DINOProjectionHead(
            config.width, 2 * config.width, _FEATURES_OF_HEAD, config.prototypes
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images).last_hidden_state[:, 0])


def vit_config(config: DinoTraining, image_size: int) -> ViTConfig:
    """The vision transformer's configuration in the format of transformers."""
    return ViTConfig(
        image_size=image_size,
        patch_size=config.patch_size,
        hidden_size=config.width,
        intermediate_size=4 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        initializer_range=config.width**-0.5,  # the usual 0.02 is for widths of several hundred
    )


def train_dino(pixels: np.ndarray, config: DinoTraining, device: torch.device) -> Any:
    """Trains on uint8 images [N, H, W, 3], and returns the teacher, a `ViTModel`."""
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        student, teacher = (_Network(config, pixels.shape[1]).to(device) for _ in range(2))
    teacher.load_state_dict(student.state_dict())
    teacher.requires_grad_(False)
    images = to_signed_range(pixels).to(device)
    size = len(images), config.batch_size, config.epochs
    steps = steps_of(*size)
    criterion = DINOLoss(config.prototypes).to(device)
    optimizer = torch.optim.AdamW(student.parameters(), config.learning_rate, weight_decay=0.04)
    annealed = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    for step, rows in enumerate(shuffled_batches(*size, "training DINO", generator)):
        crops = torch.cat([random_crops(images[rows], generator) for _ in range(2)])
        with torch.no_grad():
            targets = teacher(crops).chunk(2)
        outputs = student(crops).chunk(2)
        loss = criterion(list(targets), list(outputs))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 3.0)
        optimizer.step()
        annealed.step()
        # The momentum rises to 1 along a cosine, as in DINO.
        momentum = 1 - (1 - config.teacher_momentum) * (1 + math.cos(math.pi * step / steps)) / 2
        update_momentum(student, teacher, momentum)
    require_trained("encoders.dino", loss, teacher.state_dict())
    logger.info("DINO: loss %.3f (of a guess: %.3f)", loss.item(), math.log(config.prototypes))
    return teacher.backbone.eval()


def save_dino(model: Any, image_size: int, folder: Path) -> None:
    """Writes a `from_pretrained` folder of the model and its preprocessing."""
    model.save_pretrained(folder)
    half = [0.5, 0.5, 0.5]  # training used images in [-1, 1]
    size = {"height": image_size, "width": image_size}
    ViTImageProcessor(size=size, image_mean=half, image_std=half).save_pretrained(folder)
