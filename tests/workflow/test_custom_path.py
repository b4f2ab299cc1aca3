"""Customized models of Stable Diffusion, from published files to tables, small and random."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from diffusers import UNet2DConditionModel

from configured import experiment
from custom_sd14 import (
    DATA_SET,
    EXEMPLARS,
    NAMES,
    POOL,
    QUERIES,
    SIDE,
    write_hub,
    write_published,
    write_weights,
)
from leavekout.base.artifacts import load_image
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import encode_images, load_vae
from loopback import loopback
from project import copy_project, output_of, planned, ran, refused, snakemake
from published import TEXT_WIDTH, UNET

CPU = torch.device("cpu")
PATH = ["--configfile", "config/small.yaml"]
FISH, INK = NAMES


def small_study(url: str, sha256: str) -> dict[str, Any]:
    """What differs from config/custom-sd14.yaml: sizes, and where things come from."""
    few = {"gradient_samples": 8, "steps": 2}
    batches = {"forward_batch": 16, "encode_batch": 8, "gradient_batch": 8, "per_sample_batch": 4}
    address = f"{url}/hub/datasets/{DATA_SET}/all_tasks.json"
    return {
        "extends": "custom-sd14.yaml",
        "experiment": "small",
        "dataset": {"images": POOL, "image_size": SIDE},
        "encoders": {"source": "fetch", "endpoint": url},
        "model": {"unet": UNET},
        "customized": {
            "published": {"tasks": {"url": address, "sha256": sha256}},
            "trained_on": 100,
            "objects": [FISH],
            "styles": [INK],
        },
        "queries": {"test": QUERIES},
        "fisher": {"samples": 20},
        "losses": {"timestep_stride": 500},
        "unlearning": {"unlearning": few, "unlearning-all": few},
        "methods": ["unlearning", "unlearning-all", "clip", "clip-text"],
        "hardware": {"gpus": 0, "device_data_gb": 0, **batches},
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the small study was fetched, and then ran without a network."""
    folder = tmp_path_factory.mktemp("custom")
    project = copy_project(folder / "project")
    with loopback(folder / "served") as server:
        unet = experiment("custom-sd14").model.unet | UNET
        write_hub(server.folder / "hub", unet)
        data = server.folder / "hub" / "datasets" / DATA_SET
        sha256 = write_published(data, write_weights(unet))
        config = small_study(server.url, sha256)
        (project / "config" / "small.yaml").write_text(yaml.safe_dump(config))
        ran(project, *PATH, "--", "fetch")
    assert not list(project.rglob("*.7z*"))  # archives are deleted once they are unpacked
    ran(project, *PATH)
    return project


def test_every_method_is_measured_on_every_query(study: Path) -> None:
    table = pd.read_csv(study / "results/small/tables/retrievals.csv")
    assert len(table) == 4 * QUERIES * len(NAMES)
    assert set(table["candidates"]) == {POOL + EXEMPLARS}
    assert set(table["exemplars"]) == {EXEMPLARS}
    assert table["average_precision"].between(0, 1).all()
    summary = pd.read_csv(study / "results/small/tables/summary.csv")
    assert set(summary["kind"]) == {"object", "style", "all"}


def test_given_queries_are_encoded_and_scaled_like_all_images(study: Path) -> None:
    results = study / "results" / "small"
    vae = load_vae(results / "encoders" / "vae", CPU)
    assert vae.config.scaling_factor == 0.18215
    table = pd.read_parquet(results / "queries" / "queries.parquet")
    assert table["query"].tolist() == [f"{m}-q00{i}" for m in NAMES for i in range(QUERIES)]
    latents = np.load(results / "queries" / "latents.npy")
    for name, latent in zip(table["query"], latents, strict=True):
        picture = load_image(results / "queries" / "images" / f"{name}.png")
        model, number = name.split("-q00")
        models = study / "resources" / "custom-sd14" / "models"
        given = load_image(models / model / "queries" / f"00{number}.png")
        assert np.array_equal(picture, given)
        expected = encode_images(vae, picture[None], CPU)[0]
        np.testing.assert_allclose(latent, expected, atol=1e-5)


def test_each_models_prompts_hold_its_own_token(study: Path) -> None:
    results = study / "results" / "small"
    table = pd.read_parquet(results / "queries" / "queries.parquet")
    folder = results / "customized"
    encoder = TextEncoder.load(folder / "tokenizer", folder / "text_encoder", CPU)
    own = [p.replace("V*", f"<{m}>") for p, m in zip(table["prompt"], table["model"], strict=True)]
    np.testing.assert_allclose(np.load(results / "queries/text.npy"), encoder(own), atol=1e-5)
    bare = [p.replace("V* ", "") for p in table["prompt"]]
    without = np.load(results / "queries/text_without_token.npy")
    np.testing.assert_allclose(without, encoder(bare), atol=1e-5)


def test_the_losses_of_customized_models_differ_and_the_fisher_is_shared(study: Path) -> None:
    results = study / "results" / "small"
    losses = [np.load(results / "losses" / model / "loss.npy") for model in NAMES]
    assert losses[0].shape == (POOL + len(NAMES) * EXEMPLARS, 2, 2)  # flips, passes
    assert not np.allclose(*losses)
    assert len(list((results / "fisher").iterdir())) == 2  # K,V and all weights


def test_the_pool_is_the_first_pictures_with_their_captions(study: Path) -> None:
    table = pd.read_parquet(study / "results/small/data/images.parquet")[:POOL]
    assert table["file_name"].tolist() == [f"{number:07d}.png" for number in range(POOL)]
    assert table["captions"].str[0].tolist() == [f"picture {number}" for number in range(POOL)]


def test_nothing_is_fetched_or_made_again(study: Path) -> None:
    assert planned(study, *PATH, "--", "all", "fetch") == {}


# Folders of one's own: here those that the published files were made into.
OWN = ["--configfile", "config/small.yaml", "config/own.yaml"]


def weights(model: str) -> str:
    return f"results/own/models/{model}/weights.safetensors"


@pytest.fixture(scope="module")
def own(study: Path) -> Path:
    """A study of the same pool and models as a user's own folders, as far as its images."""
    config = {
        "experiment": "own",
        "dataset": {"source": "folder"},
        "customized": {"published": None},
    }
    (study / "config" / "own.yaml").write_text(yaml.safe_dump(config))
    ran(study, *OWN, "--", "results/own/data/images.parquet", *map(weights, NAMES))
    return study


@pytest.fixture
def restored(own: Path, tmp_path: Path) -> Iterator[Path]:
    """The user's models, which are restored after the test."""
    models = own / "resources" / "custom-sd14" / "models"
    shutil.copytree(models, tmp_path / "models")
    yield models
    shutil.rmtree(models)
    shutil.copytree(tmp_path / "models", models)


def test_folders_of_ones_own_give_the_same_images(own: Path) -> None:
    published, theirs = (
        pd.read_parquet(own / f"results/{name}/data/images.parquet") for name in ("small", "own")
    )
    pd.testing.assert_frame_equal(published, theirs)


def broken(own: Path, *targets: str) -> str:
    """What a run prints that imports the customized models again."""
    shutil.rmtree(own / "results" / "own" / "models", ignore_errors=True)
    return refused(own, *OWN, "--forcerun", "check_dataset", "--", *targets)


def test_another_token_is_taken_anew(own: Path, restored: Path) -> None:
    torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, restored / FISH / "<new1>.bin")
    assert planned(own, *OWN, "--", *map(weights, NAMES)) == {"import_customization": 1, "total": 1}


def test_a_wrong_customized_model_is_refused(own: Path, restored: Path) -> None:
    fish = restored / FISH
    (fish / "<new1>.bin").unlink()
    message = f"models/{FISH}: the customized model's token's embedding is missing"
    assert message in broken(own, weights(FISH))
    torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, fish / "<new1>.bin")
    changed = {"x.attn2.to_k.weight": torch.zeros(2)}
    torch.save(changed, fish / "pytorch_custom_diffusion_weights.pt")
    assert "does not fit the base model;" in broken(own, weights(FISH))


def test_wrong_exemplars_are_refused(own: Path, restored: Path) -> None:
    annotations = restored / INK / "exemplars.json"
    target = "results/own/data/images.parquet"
    annotations.write_text(annotations.read_text().replace("V* art", "some art"))
    message = f"{INK}/exemplars.json: 'A picture in the style of some art' lacks V*"
    assert message in broken(own, target)
    text = annotations.read_text().replace("some art", "V* art").replace("001.JPEG", "001.png")
    annotations.write_text(text)
    pool = own / "resources" / "custom-sd14" / "pool" / "images"
    shutil.copy(pool / "0000007.png", restored / INK / "exemplars" / "001.png")
    message = f"this exemplar of model '{INK}' is also in the pool, as '0000007.png'"
    assert message in broken(own, target)


def test_the_study_is_planned_from_its_configuration_alone(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    path = ["--configfile", "config/custom-sd14.yaml"]
    jobs = planned(project, *path)
    assert jobs["fetch_benchmark"] == 4
    assert jobs["attribute_by_unlearning"] == 5 * 400
    assert jobs["estimate_curvature"] == 2  # shared by all models
    assert jobs["source_losses"] == jobs["import_customization"] == 20
    jobs = planned(project, *path, "--config", "customized={'first': 1}")
    assert jobs["attribute_by_unlearning"] == 5 * 40
    folders = "dataset={'source': 'folder'}", "customized={'published': null}"
    result = snakemake(project, *path, "--config", *folders, "--", "check_dataset")
    assert "resources/custom-sd14/pool/captions.json: there is no such file." in output_of(result)


def test_the_study_is_the_papers() -> None:
    e = experiment("custom-sd14")
    assert e.customized
    assert list(e.customized.kinds().values()) == ["object"] * 10 + ["style"] * 10
    assert [sum(n.startswith(letter) for n in e.customized.styles) for letter in "ab"] == [5, 5]
    assert (e.queries.test, e.dataset.images, e.fisher.samples) == (20, 100_000, 1_000_000)
    steps = {
        name: (v.steps, v.step_size, v.weights, v.step, v.without_token)
        for name, v in e.unlearning.items()
    }
    assert steps == {
        "unlearning": (100, 0.1, "cross_attention_kv", "newton", False),
        "unlearning-1": (1, 10.0, "cross_attention_kv", "newton", False),
        "unlearning-all": (100, 5e-5, "all", "newton", False),
        "ascent": (100, 0.01, "cross_attention_kv", "gradient_ascent", False),
        "without-token": (100, 0.1, "cross_attention_kv", "newton", True),
    }
    assert json.dumps(e.model.noise_schedule.model_dump()).count("scaled_linear") == 1


def test_the_base_model_has_as_many_weights_as_stable_diffusion() -> None:
    with torch.device("meta"):
        denoiser = UNet2DConditionModel(**experiment("custom-sd14").model.unet)
    assert sum(p.numel() for p in denoiser.parameters()) == 859_520_964
