"""Tiny models, trainings and data for tests of formulas."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from leavekout.base.noise import Domain
from leavekout.config.encoders import ClipTraining, DinoTraining
from leavekout.config.experiment import Training
from leavekout.config.model import FlowMatching, Model, NoiseSchedule
from leavekout.data.encoded import EncodedData
from leavekout.queries.loading import Queries
from leavekout.training.stream import Stream

CPU = torch.device("cpu")
SAVING: dict[str, Any] = {"identity": "a test's", "save_seconds": 1e9}
UNET = {
    "sample_size": 4,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [8, 8],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 6,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
TRANSFORMER: dict[str, object] = {
    "sample_size": 4,
    "in_channels": 4,
    "out_channels": 4,
    "patch_size": 2,
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 4,
    "cross_attention_dim": 8,
    "caption_channels": 6,
    "attention_bias": False,
}
SCHEDULE = NoiseSchedule(timesteps=20, beta_schedule="linear", beta_start=1e-3, beta_end=0.2)
FLOW = FlowMatching(timesteps=20, density="logit_normal")
MODEL = Model(unet=UNET, noise_schedule=SCHEDULE)
# Small encoders.
CLIP = ClipTraining(
    width=8, layers=1, heads=2, patch_size=4, context_length=8, epochs=1, batch_size=3,
    learning_rate=1e-3, seed=0,
)  # fmt: skip
DINO = DinoTraining(
    width=8, layers=1, heads=2, patch_size=4, prototypes=16, epochs=2, batch_size=3,
    learning_rate=1e-3, teacher_momentum=0.9, seed=0,
)  # fmt: skip
# Every denoiser with every process, by name.
MODELS = {
    "unet": MODEL,
    "unet-flow": Model(unet=UNET, flow_matching=FLOW),
    "transformer": Model(transformer=TRANSFORMER, noise_schedule=SCHEDULE),
    "transformer-flow": Model(transformer=TRANSFORMER, flow_matching=FLOW),
}
TRAINING = Training(
    seed=0,
    epochs=6,
    batch_size=8,
    learning_rate=1e-3,
    learning_rate_schedule="cosine",
    warmup_steps=2,
    weight_decay=0.01,
    gradient_clip=1.0,
    caption_dropout=0.2,
    precision="float32",
    when_removing="keep_steps",
)


def unet_with(**changes: object) -> Model:
    """The tiny U-Net with other arguments."""
    return MODEL.model_copy(update={"unet": {**UNET, **changes}})


def stream_of(
    data: EncodedData, *, removed: Sequence[int] = (), caption_dropout: float = 0.0
) -> Stream:
    """A training's stream of the data, with the process's 20 timesteps and seed 0."""
    return Stream(
        images=data.images,
        flips=data.flips,
        captions=data.captions,
        timesteps=SCHEDULE.timesteps,
        caption_dropout=caption_dropout,
        removed=torch.tensor(removed, dtype=torch.int64),
        seed=0,
        domain=Domain.TRAINING,
    )


def make_data(
    *, images: int = 12, flips: int = 2, dtype: torch.dtype = torch.float32
) -> EncodedData:
    generator = np.random.default_rng(0)
    return EncodedData(
        generator.standard_normal((images, flips, 4, 4, 4)).astype(np.float16),
        generator.standard_normal((images, 3, 5, 6)).astype(np.float16),
        generator.standard_normal((5, 6)).astype(np.float16),
        np.arange(images) * 7 + 3,  # ids are not row numbers
        device=CPU,
        dtype=dtype,
    )


def one_query(latent: torch.Tensor, text: torch.Tensor, noise_seed: int) -> Queries:
    """A query of latents [4, h, w] and text states [T, E]."""
    return Queries(["q000"], [noise_seed], latent[None], text[None], [0])
