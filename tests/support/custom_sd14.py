"""What `config/custom-sd14.yaml` fetches, small and random, in the formats it is published in."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import py7zr
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from published import TEXT_WIDTH, write_encoders, write_stable_diffusion

DATA_SET = "sywang/GenDataAttribution"
# The path of each model in the archive of models, and the caption of its exemplars.
MODELS = {
    "imagenet/n01440764_0000": "<new1> fish",
    "artchive/ink": "A picture in the style of <new1> art",
}
NAMES = [path.replace("/", "-") for path in MODELS]
POOL, MORE, EXEMPLARS, QUERIES, SIDE = 30, 5, 3, 2, 64


def write_hub(hub: Path, denoiser: dict[str, Any]) -> None:
    """The model repositories that the configuration names."""
    torch.manual_seed(0)
    base = hub / "CompVis" / "stable-diffusion-v1-4"
    write_stable_diffusion(base)
    UNet2DConditionModel(**denoiser).save_pretrained(base / "unet")
    write_encoders(hub)


def write_picture(path: Path, seed: int) -> None:
    """A random picture of smooth colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


def write_weights(denoiser: dict[str, Any]) -> Callable[[Path, int], None]:
    """What writes the files of a model: K and V by diffusers' names, and its token."""

    def write(folder: Path, seed: int) -> None:
        torch.manual_seed(seed)
        weights = UNet2DConditionModel(**denoiser).state_dict()
        changed = {n: t for n, t in weights.items() if "attn2.to_k" in n or "attn2.to_v" in n}
        torch.save(changed, folder / "pytorch_custom_diffusion_weights.pt")
        torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, folder / "<new1>.bin")

    return write


def write_published(data: Path, write_model: Callable[[Path, int], None]) -> str:
    """The archives and lists of the benchmark, and beside them the tasks: their SHA-256.

    Archives hold more than a study needs: other exemplars, pictures and models.
    """
    tasks: list[dict[str, Any]] = []
    lists: dict[str, list[dict[str, Any]]] = {"test_artchive": [], "test_observed_imagenet": []}
    with TemporaryDirectory() as name:
        root = Path(name)
        for place, (path, caption) in enumerate({**MODELS, "artchive/more": "<new1>"}.items()):
            source, model = path.split("/")
            images = f"exemplar/{source}/images/{model}"
            exemplars = [f"{images}/{i}.JPEG" for i in range(EXEMPLARS)]
            pictures = [f"synth/{source}/{kind}/{model}/samples/00000.png" for kind in ("gpt", "b")]
            for number, picture in enumerate([*exemplars, *pictures]):
                write_picture(root / picture, 1000 + 10 * place + number)
            (root / "models" / path).mkdir(parents=True)
            write_model(root / "models" / path, place)
            test_case = next(name for name in lists if name.endswith(source))
            listed = lists[test_case]
            listed.append({"exemplar": [f"dataset/{name}" for name in exemplars], "synth": {}})
            tasks += [
                {
                    "synth_image_path": picture,
                    "prompt": f"{kind} of {caption}",
                    "test_case": test_case,
                    "test_case_ind": len(listed) - 1,
                    "model_path": f"models/{path}",
                    "train_prompt": caption,
                    "category": "art",
                }
                for picture, kind in zip(pictures, ("photo", "drawing"), strict=True)
                if path in MODELS
            ]
        for number in range(POOL + MORE):
            write_picture(root / "laion_subset" / "images" / f"{number:07d}.png", number)
        captions = "".join(f"picture {number} \n" for number in range(POOL + MORE))
        (root / "laion_subset" / "captions.txt").write_text(captions)
        for archive, top in (
            ("exemplar", "exemplar"),
            ("synth_test", "synth"),
            ("models_test", "models"),
            ("laion_subset", "laion_subset"),
        ):
            pack(data / archive / f"{archive}.7z", root, top)
    for test_case, listed in lists.items():
        write_json(data / "json" / f"{test_case}.json", listed)
    # Queries of several models take turns in the list.
    return write_json(data / "all_tasks.json", tasks[::2] + tasks[1::2])


def pack(path: Path, root: Path, top: str, parts: int = 3) -> None:
    """Writes a 7z archive of a folder below `root` in parts: `path.001`, `path.002`, …"""
    path.parent.mkdir(parents=True, exist_ok=True)
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writeall(root / top, top)
    content = path.read_bytes()
    path.unlink()
    size = -(-len(content) // parts)
    for part in range(parts):
        chunk = content[part * size : (part + 1) * size]
        path.with_name(f"{path.name}.{part + 1:03d}").write_bytes(chunk)


def write_json(path: Path, content: Sequence[Any]) -> str:
    """Writes a file of JSON: its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()
