"""What `config/custom-sd14.yaml` needs, small and random, in the formats it is published in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor
from PIL import Image

from published import TEXT_WIDTH, write_encoders, write_stable_diffusion

MODELS = {"fish": "V* fish", "ink": "V* art style"}
POOL, EXEMPLARS, QUERIES, SIDE = 30, 3, 2, 64


def write_hub(hub: Path, denoiser: dict[str, Any]) -> None:
    """The model repositories that the configuration names."""
    torch.manual_seed(0)
    base = hub / "CompVis" / "stable-diffusion-v1-4"
    write_stable_diffusion(base)
    UNet2DConditionModel(**denoiser).save_pretrained(base / "unet")
    write_encoders(hub)


def write_images(
    folder: Path, name: str, texts: list[str], *, seed: int, suffix: str = "png"
) -> None:
    """Random pictures in `folder/name/`, and their captions in `folder/name.json`."""
    drawn = np.random.default_rng(seed)
    (folder / name).mkdir(parents=True)
    for number in range(len(texts)):
        coarse = drawn.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        picture.save(folder / name / f"{number}.{suffix}")
    content = {
        "images": [{"id": i, "file_name": f"{i}.{suffix}"} for i in range(len(texts))],
        "annotations": [{"id": i, "image_id": i, "caption": text} for i, text in enumerate(texts)],
    }
    (folder / f"{name}.json").write_text(json.dumps(content))


def write_custom_models(root: Path, denoiser: dict[str, Any]) -> None:
    """A folder of each model, with Custom Diffusion's files as diffusers writes them."""
    for seed, (model, phrase) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        custom = UNet2DConditionModel(**denoiser)
        processors: dict[str, Any] = {}
        for name in custom.attn_processors:
            cross = "attn2" in name
            query = custom.get_submodule(name.removesuffix(".processor")).to_q.weight
            processors[name] = CustomDiffusionAttnProcessor(
                train_kv=cross,
                train_q_out=False,
                hidden_size=query.shape[0] if cross else None,
                cross_attention_dim=TEXT_WIDTH if cross else None,
            )
        custom.set_attn_processor(processors)
        # One in each of the two formats.
        custom.save_attn_procs(root / model, safe_serialization=seed == 0)
        torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, root / model / "<new1>.bin")
        write_images(root / model, "exemplars", [phrase] * EXEMPLARS, seed=10 + seed, suffix="jpg")
        prompts = [f"a {phrase} in place {i}" for i in range(QUERIES)]
        write_images(root / model, "queries", prompts, seed=20 + seed)
