"""Proposes a study of somebody's own pictures from their number and size.

Without a GPU: digits' small recipe, on 16 pixels, whose encoders are trained on the pictures. As
many samples are shown as 200 drawings of shapes needed until pictures showed their prompts. With a
GPU: coco-day's recipe, whose encoders are published ones. It was not run.
"""

import math
from collections.abc import Mapping
from typing import Any

# Samples of each training on a CPU, and digits' epochs, which are the fewest.
_SAMPLES = {"vae": 50_000, "clip": 40_000, "dino": 20_000, "training": 100_000}
_EPOCHS = {"vae": 8, "clip": 16, "dino": 25, "training": 27}
_BATCH = {"vae": 32, "clip": 128, "dino": 64, "training": 128}
_DAY_SAMPLES, _DAY_EPOCHS = 960_000, 20  # coco-day's, and the fewest
_FEW = 1000  # images, below which a twentieth is too few to see an effect
_LARGE, _SMALL = 128, 64  # pixels with a GPU


def proposal(
    name: str, dataset: Mapping[str, Any], *, images: int, prompts: int, side: int, on_gpu: bool
) -> dict[str, Any]:
    """A configuration, to be read from config/own/.

    Args:
        dataset: keys that say where the pictures are, and how many captions each has.
        images: N; prompts: how many there are for queries; side: pixels of most pictures.
    """
    k = round(images / (10 if images < _FEW else 20))
    data = {"source": "folder", **dataset, "images": images, "topics": None}
    common = {"experiment": name, "dataset": data}
    rest = _with_gpu if on_gpu else _on_cpu
    return rest(common, images=images, k=k, prompts=prompts, side=side)


def held_out_number(images: int) -> int:
    """How many pictures are left out of the training, so that their captions become prompts."""
    return min(48, max(10, images // 10))


def _epochs(key: str, images: int) -> int:
    return max(_EPOCHS[key], math.ceil(_SAMPLES[key] / images))


def _on_cpu(
    common: dict[str, Any], *, images: int, k: int, prompts: int, side: int
) -> dict[str, Any]:
    encoders = {
        key: {"epochs": _epochs(key, images), "batch_size": min(_BATCH[key], images)}
        for key in ("vae", "clip", "dino")
    }
    encoders["clip"]["context_length"] = 77  # tokens, about 55 words; the most that CLIP reads
    dataset = {**common["dataset"], "image_size": 16, "flips": True, "background": "white"}
    return {
        "extends": "../digits-base.yaml",
        **common,
        "dataset": dataset,
        "encoders": {"source": "train", **encoders},
        "training": {
            "epochs": _epochs("training", images),
            "batch_size": min(_BATCH["training"], images),
        },
        "queries": {"test": min(20, prompts), "tuning": 0},
        "fisher": {"samples": 20 * images},
        "losses": {"draws": 4 if images < 2 * _FEW else 2},
        "counterfactual": {
            "k": [k],
            "random": {"sets": 5},
            "retrain_seeds": [1, 2, 3],
            "keep_models": False,
        },
    }


def _with_gpu(
    common: dict[str, Any], *, images: int, k: int, prompts: int, side: int
) -> dict[str, Any]:
    size = _LARGE if side >= _LARGE else _SMALL
    dataset = {**common["dataset"], "image_size": size, "archives": []}
    tuning = min(8, max(0, prompts - 20))
    return {
        "extends": "../coco-day.yaml",
        **common,
        "dataset": {**dataset, "pictures": None, "subset_seed": None},
        "model": {"unet": {"sample_size": size // 8}},
        "training": {
            "epochs": max(_DAY_EPOCHS, math.ceil(_DAY_SAMPLES / images)),
            "batch_size": min(_BATCH["training"], images),
        },
        "queries": {"test": min(40, prompts - tuning), "tuning": tuning, "subjects": None},
        "fisher": {"samples": 10 * images},
        "losses": {"draws": 4 if images < 2 * _FEW else 2},
        "counterfactual": {"k": [k], "random": {"k": [3 * k]}},
        "tuning": {"k": [k]} if tuning else None,
    }
