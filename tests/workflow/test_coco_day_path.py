"""A study of a part of COCO, its pictures fetched one by one, to the report; on narrow models."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from loopback import Loopback, loopback
from project import copy_project, ran
from published import UNET, write_coco, write_models

IMAGES, OF = 60, 100
QUERIES = int(os.environ.get("COCO_DAY_QUERIES", "2"))
METHODS = ["unlearning", "clip"]


def small_study(url: str, md5: dict[str, str]) -> dict[str, Any]:
    """What differs from config/coco-day.yaml: sizes, and where things come from."""
    name = "annotations_trainval2017.zip"
    batches = dict.fromkeys(("encode_batch", "gradient_batch", "per_sample_batch"), 16)
    hardware = {"gpus": 0, "device_data_gb": 0, "compile": False, "training_threads": 1}
    return {
        "extends": "coco-day.yaml",
        "experiment": "small",
        "dataset": {
            "archives": [{"url": f"{url}/{name}", "md5": md5[name]}],
            "pictures": f"{url}/train2017",
            "images": IMAGES,
            "image_size": 64,
        },
        "encoders": {"source": "fetch", "endpoint": url},
        "model": {"unet": {**UNET, "block_out_channels": [32, 32, 32]}},
        "training": {"epochs": 2, "batch_size": 16, "precision": "float32", "warmup_steps": 2},
        "sampling": {"steps": 4},
        "queries": {
            **{"test": QUERIES, "tuning": 0, "teacher": 0},
            "subjects": [f"image {number}" for number in range(25)],
        },
        "fisher": {"samples": 40},
        "losses": {"timestep_stride": 500},
        "unlearning": {"unlearning": {"gradient_samples": 32}},
        "methods": METHODS,
        "tuning": None,
        "counterfactual": {"k": [3], "random": {"sets": 2, "k": []}, "retrain_seeds": [1]},
        "evaluation": {"timestep_stride": 250},
        "hardware": {**hardware, **batches, "forward_batch": 64},
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Loopback]]:
    """A project in which the small study ran, to its report."""
    folder = tmp_path_factory.mktemp("coco-day")
    project = copy_project(folder / "project")
    with loopback(folder / "served") as server:
        md5 = write_coco(server.folder, OF)
        with zipfile.ZipFile(server.folder / "train2017.zip") as archive:
            archive.extractall(server.folder)
        write_models(server.folder / "hub")
        config = small_study(server.url, md5)
        (project / "config" / "small.yaml").write_text(yaml.safe_dump(config))
        ran(project, "--configfile", "config/small.yaml")
        yield project / "results" / "small", server


def test_only_the_subsets_pictures_are_fetched(study: tuple[Path, Loopback]) -> None:
    results, server = study
    table = pd.read_parquet(results / "data" / "images.parquet")
    fetched = [Path(path).name for path, _ in server.asked if path.startswith("train2017/")]
    assert len(table) == IMAGES
    assert sorted(fetched) == sorted(table["file_name"])
    assert "train2017.zip" not in [path for path, _ in server.asked]
    assert set(table["image_id"]) < {37 * number for number in range(1, OF + 1)}


def test_queries_have_subjects_of_their_own(study: tuple[Path, Loopback]) -> None:
    results, _ = study
    queries = pd.read_parquet(results / "queries" / "queries.parquet")
    subjects = queries["prompt"].str.extract(r"of image (\d+) of the validation")[0]
    assert len(queries) == QUERIES
    assert subjects.is_unique


def test_the_tables_and_the_report_come_out(study: tuple[Path, Loopback]) -> None:
    results, _ = study
    estimates = pd.read_csv(results / "tables" / "estimates.csv")
    assert {"random", "topic", "no_removal", *METHODS} == set(estimates["method"])
    looks = pd.read_csv(results / "tables" / "pictures.csv")
    assert len(looks) == QUERIES
    assert looks["closer_images"].between(0, 1).all()
    assert looks["prompts_below"].between(0, 1).all()
    assert (looks["training_loss"] > 0).all()
    assert "training images (tables/pictures.csv)" in (results / "report.html").read_text()
