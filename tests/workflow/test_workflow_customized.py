"""Customized models on digits: the whole workflow, from exemplars to the report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leavekout.base.errors import InputError
from leavekout.base.tensors import load_tensors
from leavekout.customized.collection import prompts_of_models
from leavekout.customized.exemplars import exemplar_rows, pool_rows
from project import copy_project, output_of, planned, ran, refused, snakemake

CONFIG = ["--configfile", "config/tiny-custom.yaml"]
MODELS = {"two": "object", "four": "object", "slanted": "style", "inverted": "style"}
METHODS = ["unlearning", "without-token", "clip-text", "pixel", "trak"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the tiny study ran."""
    folder = copy_project(tmp_path_factory.mktemp("customized") / "copy")
    ran(folder, *CONFIG, "--", "all", "tuning")
    return folder


@pytest.fixture
def results(study: Path) -> Path:
    return study / "results" / "tiny-custom"


def test_a_cluster_can_plan_it_in_batches(tmp_path: Path) -> None:
    targets = ["--", "all", "tuning"]
    jobs = planned(copy_project(tmp_path / "copy"), "--profile", "slurm", *CONFIG, *targets)
    assert jobs["customize"] == len(MODELS)


def test_tables_hold_every_method_and_query(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "retrievals.csv")
    assert set(table["method"]) == set(METHODS)
    assert dict(zip(table["model"], table["kind"], strict=True)) == MODELS
    assert len(table) == len(METHODS) * len(MODELS) * 2
    assert set(table["exemplars"]) == {5}
    tuning = pd.read_csv(results / "tables" / "tuning_retrievals.csv")
    assert tuning["query"].tolist() == [f"{model}-t000" for model in MODELS]


def test_the_base_model_and_the_pool_have_seen_no_exemplar(study: Path, results: Path) -> None:
    table = pd.read_parquet(results / "data" / "images.parquet")
    assert pool_rows(table).sum() == 1429
    _, notes = load_tensors(results / "source" / "model.safetensors")
    assert notes["removed"] == 20
    captions = [text for texts in table[pool_rows(table)]["captions"] for text in texts]
    assert not any(word in text.split() for text in captions for word in ("two", "2", "V*"))
    for model in MODELS:
        own = table[exemplar_rows(table, model)]
        assert all("V*" in text for texts in own["captions"] for text in texts)


def test_each_model_has_changed_keys_and_values_and_a_token_of_its_own(results: Path) -> None:
    base, _ = load_tensors(results / "source" / "model.safetensors")
    tokens = []
    for model in MODELS:
        changed, _ = load_tensors(results / "models" / model / "weights.safetensors")
        assert all(".attn2.to_k." in name or ".attn2.to_v." in name for name in changed)
        assert all(not np.array_equal(base[name], value) for name, value in changed.items())
        tokens.append(load_tensors(results / "models" / model / "token.safetensors")[0])
    assert len({tuple(token["embedding"].tolist()) for token in tokens}) == len(MODELS)


def test_a_query_is_attributed_with_the_model_that_generated_it(study: Path) -> None:
    target = "results/tiny-custom/attribution/unlearning/two-q000.npy"
    plan = snakemake(study, *CONFIG, "-n", "--forcerun", "attribute_by_unlearning", "--", target)
    inputs = output_of(plan).split("rule attribute_by_unlearning:")[1].split("output:")[0]
    assert "models/two/weights.safetensors" in inputs
    assert "losses/two/loss.npy" in inputs
    # The losses before and after unlearning use one encoding.
    before = snakemake(study, *CONFIG, "-n", "--forcerun", "source_losses", "--", target)
    latents = "results/tiny-custom/data/latents.npy"
    assert latents in inputs
    assert latents in output_of(before).split("rule source_losses:")[1].split("output:")[0]


def test_without_unlearning_no_image_has_a_score(study: Path) -> None:
    still = "{step: gradient_ascent, step_size: 1.0e-30, gradient_samples: 8}"
    target = "results/tiny-custom/attribution/still/slanted-q000.npy"
    config = ["--config", f"unlearning={{still: {still}}}"]
    printed = refused(study, *CONFIG, *config, "--", target)
    assert "method 'still' gives every image the same score (0.0)" in printed


def test_the_report_shows_models_and_framed_exemplars(results: Path) -> None:
    page = (results / "report.html").read_text()
    assert all(f"{model}-q000" in page for model in MODELS)
    assert 'class="picture framed"' in page
    assert "tables/retrievals.csv" in page
    assert "http" not in page.split("<body>")[1].split('id="provenance"')[0]
    for query in ("two-q001", "inverted-q000"):
        assert (results / "figures" / "attributed" / f"{query}.png").stat().st_size > 1000


def test_too_few_prompts_are_refused(study: Path) -> None:
    names = [f"two-q{i:03d}" for i in range(8)], ["two-t000"]
    root = study / "resources" / "tiny-custom" / "models"
    with pytest.raises(InputError, match="holds 8 distinct prompts, but 'queries' asks for 9"):
        prompts_of_models(root, {"two": names}, seed=0)


def test_a_second_run_finds_nothing_to_do(study: Path) -> None:
    assert planned(study, *CONFIG, "--", "all", "tuning") == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("customized={styles: [wavy]}", "'wavy' is no digit and no style"),
        ("customized={styles: [two]}", "each with a name of its own"),
        ("customized={objects: [source]}", "which is not 'source'"),
        ("dataset={images: 7}", "holds 1,429 images, but 'dataset.images' is 7"),
        ("influence={trak: {source_seeds: [0, 1]}}", "has to be [0]"),
        ("forgetting={methods: [unlearning], k: [], related: 1, seed: 0}", "set 'forgetting' to n"),
        ("customized={training: {initial_word: two words}}", "'two words' is 2 tokens"),
    ],
)
def test_wrong_configurations_are_refused(study: Path, change: str, message: str) -> None:
    assert message in refused(study, *CONFIG, "--config", change, "experiment=broken")
