"""COCO from what its authors published, small: fetched, imported, compared with their scores."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from loopback import Loopback, loopback
from project import copy_project, ran, refused
from published import UNET, write_coco, write_models
from published_study import ALPHA, DRAWS, SIDE, TIMESTEPS, write_published

IMAGES = 40
SMALL_UNET = {
    **UNET,
    "block_out_channels": [32, 32],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
}
CHECK = ["--configfile", "config/small.yaml", "--", "published_check"]


def small_study(url: str, md5: dict[str, str]) -> dict[str, Any]:
    """What differs from config/coco-published.yaml: sizes, and where things come from."""
    archives = [{"url": f"{url}/{name}", "md5": md5[name]} for name in md5]
    batches = dict.fromkeys(("encode_batch", "gradient_batch", "per_sample_batch"), 50)
    return {
        "extends": "coco-published.yaml",
        "experiment": "small",
        "dataset": {"images": IMAGES, "image_size": SIDE, "archives": archives},
        "encoders": {"source": "fetch", "endpoint": url},
        "model": {"unet": SMALL_UNET},
        "queries": {"test": 2, "tuning": 1, "teacher": 0},
        "losses": {"timestep_stride": TIMESTEPS.step},
        "unlearning": {"abu-plus": {"step_size": ALPHA, "gradient_samples": DRAWS}},
        "external": {"theirs": "published.scores"},
        "methods": ["abu-plus", "theirs"],
        "published": {
            "queries": {
                "pictures": {"repo": "sywang/FastGDA", "file": "coco/query_test/images/*.png"}
            },
            "scores": {"least": 0.7},  # of 40 images
        },
        "counterfactual": {"k": [6], "random": {"sets": 1, "k": [], "k_range": None}},
        "forgetting": None,
        "hardware": {
            **{"gpus": 0, "device_data_gb": 0, "compile": False, "training_threads": 1},
            **{"forward_batch": 200, **batches},
        },
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Loopback, str]]:
    """A project in which all was imported and compared, and what the check printed."""
    folder = tmp_path_factory.mktemp("published")
    project = copy_project(folder / "project")
    with loopback(folder / "served") as server:
        md5 = write_coco(server.folder, IMAGES)
        hub = server.folder / "hub"
        write_models(hub)
        config = small_study(server.url, md5)
        coco = yaml.safe_load((project / "config" / "coco.yaml").read_text())
        unet = {**coco["model"]["unet"], **SMALL_UNET}
        diffusion = hub / "sd2-community" / "stable-diffusion-2-base"
        write_published(server.folder, diffusion, hub / "datasets", unet)
        (project / "config" / "small.yaml").write_text(yaml.safe_dump(config))
        imported = [
            "results/small/fisher/cross_attention_kv.safetensors",
            *(f"results/small/attribution/theirs/{query}.npy" for query in ("q000", "t000")),
        ]
        output = ran(project, *CHECK, *imported)
        yield project, server, output


def test_our_scores_agree_with_the_published_ones(study: tuple[Path, Loopback, str]) -> None:
    project, _, output = study
    table = pd.read_csv(project / "results/small/tables/published.csv")
    assert table["query"].tolist() == ["q000", "q001"]
    assert (table["rank_correlation_repeated"] > 0.5).all()
    assert (table["rank_correlation"] > 0.7 * table["rank_correlation_repeated"]).all()
    assert "our scores of 'abu-plus' agree with the published ones" in output


def test_published_scores_are_a_method_in_our_order(study: tuple[Path, Loopback, str]) -> None:
    project, server, _ = study
    pickled = server.folder / "hub/datasets/sywang/FastGDA/coco/influence_test.pkl"
    theirs = pickle.loads(pickled.read_bytes())["random"]["influence"]
    ids = pd.read_parquet(project / "results/small/data/images.parquet")["image_id"]
    annotations = project / "resources/coco/annotations/captions_train2017.json"
    listed = [entry["id"] for entry in yaml.safe_load(annotations.read_text())["images"]]
    for query, line in (("q000", 0), ("t000", 2)):
        found = np.load(project / f"results/small/attribution/theirs/{query}.npy")
        expected = pd.Series(theirs[line], index=listed).loc[ids]
        np.testing.assert_array_equal(found, expected)


def test_queries_and_weights_are_the_published_ones(study: tuple[Path, Loopback, str]) -> None:
    project, server, _ = study
    results = project / "results" / "small"
    published = server.folder / "hub/datasets/sywang/FastGDA/coco/query_test/latents.npy"
    np.testing.assert_array_equal(
        np.load(results / "queries/latents.npy"), np.load(published)[[0, 1, 2]]
    )
    prompts = pd.read_parquet(results / "queries/queries.parquet").set_index("query")["prompt"]
    assert prompts["q001"] == "A red kite of a query."
    assert len(load_file(results / "fisher/cross_attention_kv.safetensors")) > 0
    logs = {path.stem for path in (results / "logs").glob("*.log")}
    assert not {"train_source", "sample_queries", "encode_latents", "encode_text"} & logs


def test_scores_of_images_in_another_order_fail_the_check(
    study: tuple[Path, Loopback, str],
) -> None:
    project, server, _ = study
    wrong = yaml.safe_load((project / "config" / "small.yaml").read_text())
    pickled = server.folder / "hub/datasets/sywang/FastGDA/coco/influence_test.pkl"
    content = pickle.loads(pickled.read_bytes())["random"]["influence"]
    np.save(project / "reversed.npy", content[:, ::-1])
    wrong["published"]["scores"] = {"file": "reversed.npy", "entry": ""}
    (project / "config" / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    output = refused(project, "--configfile", "config/wrong.yaml", "--", "published_check")
    assert "our scores of 'abu-plus' do not agree with the published ones on 2 of 2" in output
    assert (project / "results/small/tables/published.csv").exists()
