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
    EXEMPLARS,
    MODELS,
    POOL,
    QUERIES,
    SIDE,
    write_custom_models,
    write_hub,
    write_images,
)
from leavekout.base.artifacts import load_image
from leavekout.encoders.text import TextEncoder
from leavekout.encoders.vae import encode_images, load_vae
from leavekout.kinds import read_experiment
from loopback import loopback
from project import copy_project, output_of, planned, ran, refused, snakemake
from published import TEXT_WIDTH, UNET

CPU = torch.device("cpu")
PATH = ["--configfile", "config/small.yaml"]


def small_study(url: str) -> dict[str, Any]:
    """What differs from config/custom-sd14.yaml: sizes, and where things come from."""
    few, models = {"gradient_samples": 8, "steps": 2}, {"objects": ["fish"], "styles": ["ink"]}
    batches = {"forward_batch": 16, "encode_batch": 8, "gradient_batch": 8, "per_sample_batch": 4}
    return {
        "extends": "custom-sd14.yaml",
        "experiment": "small",
        "dataset": {"root": "resources/pool", "images": POOL, "image_size": SIDE},
        "encoders": {"source": "fetch", "endpoint": url},
        "model": {"unet": UNET},
        "customized": {"root": "resources/models", "trained_on": 100, **models},
        "queries": {"test": QUERIES},
        "fisher": {"samples": 20},
        "losses": {"timestep_stride": 500},
        "unlearning": {"unlearning": few, "unlearning-all": few},
        "methods": ["unlearning", "unlearning-all", "clip", "clip-text"],
        "hardware": {"gpus": 0, "device_data_gb": 0, **batches},
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which the small study ran."""
    folder = tmp_path_factory.mktemp("custom")
    project = copy_project(folder / "project")
    with loopback(folder / "served") as server:
        config = small_study(server.url)
        (project / "config" / "small.yaml").write_text(yaml.safe_dump(config))
        path = project / "config" / "small.yaml"
        denoiser = read_experiment({}, [path]).model.unet
        write_hub(server.folder / "hub", denoiser)
        pool = project / "resources" / "pool"
        write_images(pool, "images", [f"picture {i}" for i in range(POOL)], seed=0, suffix="jpg")
        (pool / "images.json").rename(pool / "captions.json")
        write_custom_models(project / "resources" / "models", denoiser)
        ran(project, *PATH)
        yield project


def test_every_method_is_measured_on_every_query(study: Path) -> None:
    table = pd.read_csv(study / "results/small/tables/retrievals.csv")
    assert len(table) == 4 * QUERIES * len(MODELS)
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
    assert table["query"].tolist() == [f"{m}-q00{i}" for m in MODELS for i in range(QUERIES)]
    latents = np.load(results / "queries" / "latents.npy")
    for name, latent in zip(table["query"], latents, strict=True):
        picture = load_image(results / "queries" / "images" / f"{name}.png")
        model, number = name.split("-q00")
        given = load_image(study / "resources/models" / model / "queries" / f"{number}.png")
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
    losses = [np.load(results / "losses" / model / "loss.npy") for model in MODELS]
    assert losses[0].shape == (POOL + len(MODELS) * EXEMPLARS, 2, 2)  # flips, passes
    assert not np.allclose(*losses)
    assert len(list((results / "fisher").iterdir())) == 2  # K,V and all weights


def broken(study: Path, *targets: str) -> str:
    """What a run prints that imports the customized models again."""
    shutil.rmtree(study / "results" / "small" / "models", ignore_errors=True)
    return refused(study, *PATH, "--forcerun", "check_dataset", "--", *targets)


@pytest.fixture
def restored(study: Path, tmp_path: Path) -> Iterator[Path]:
    """The study's models, which are restored after the test."""
    models = study / "resources" / "models"
    shutil.copytree(models, tmp_path / "models")
    yield models
    shutil.rmtree(models)
    shutil.copytree(tmp_path / "models", models)


WEIGHTS = "results/small/models/fish/weights.safetensors"


def test_another_token_is_taken_anew(study: Path, restored: Path) -> None:
    torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, restored / "fish" / "<new1>.bin")
    assert planned(study, *PATH)["import_customization"] == 1


def test_a_wrong_customized_model_is_refused(study: Path, restored: Path) -> None:
    fish = restored / "fish"
    (fish / "<new1>.bin").unlink()
    message = "resources/models/fish: the customized model's token's embedding is missing"
    assert message in broken(study, WEIGHTS)
    torch.save({"<new1>": torch.randn(TEXT_WIDTH)}, fish / "<new1>.bin")
    weights = fish / "pytorch_custom_diffusion_weights.pt"
    torch.save({"x.attn2.to_k.weight": torch.zeros(2)}, weights)
    weights.with_suffix(".safetensors").unlink()
    assert "does not fit the base model;" in broken(study, WEIGHTS)


def test_wrong_exemplars_are_refused(study: Path, restored: Path) -> None:
    annotations = restored / "ink" / "exemplars.json"
    target = "results/small/data/images.parquet"
    annotations.write_text(annotations.read_text().replace("V* art", "some art"))
    message = "ink/exemplars.json: 'some art style' lacks V*"
    assert message in broken(study, target)
    annotations.write_text(annotations.read_text().replace("some art", "V* art"))
    shutil.copy(study / "resources/pool/images/7.jpg", restored / "ink" / "exemplars" / "1.jpg")
    message = "this exemplar of model 'ink' is also in the pool, as '7.jpg'"
    assert message in broken(study, target)


def test_the_study_is_planned_from_its_configuration_alone(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    jobs = planned(project, "--configfile", "config/custom-sd14.yaml")
    assert jobs["attribute_by_unlearning"] == 5 * 400
    assert jobs["estimate_curvature"] == 2  # shared by all models
    assert jobs["source_losses"] == jobs["import_customization"] == 20
    result = snakemake(project, "--configfile", "config/custom-sd14.yaml", "--", "check_dataset")
    assert "resources/custom-sd14/pool/captions.json: there is no such file." in output_of(result)


def test_the_study_is_the_papers() -> None:
    e = experiment("custom-sd14")
    assert e.customized
    assert list(e.customized.kinds().values()) == ["object"] * 10 + ["style"] * 10
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
